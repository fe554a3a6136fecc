"""Exit 0 if this container answers. Standard library only.

healthcheck.py [PORT PATH]    without them, where a worker has its health
"""

import os
import sys
import urllib.error
import urllib.request

HEALTH = (os.environ.get("SWITCHBOARD_HTTP__PORT", "8080"), "/healthz")
PORT, PATH = sys.argv[1:] or HEALTH
URL = f"http://127.0.0.1:{PORT}{PATH}"

try:
    with urllib.request.urlopen(URL, timeout=4) as answer:
        sys.exit(0 if answer.status == 200 else f"{URL} answered {answer.status}")
except (urllib.error.URLError, OSError) as error:
    sys.exit(f"{URL} did not answer: {error}")
