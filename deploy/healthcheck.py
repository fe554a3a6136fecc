"""Exit 0 if the worker in this container answers at /healthz. Standard library only."""

import os
import sys
import urllib.error
import urllib.request

PORT = os.environ.get("SWITCHBOARD_HTTP__PORT", "8080")
URL = f"http://127.0.0.1:{PORT}/healthz"

try:
    with urllib.request.urlopen(URL, timeout=4) as answer:
        sys.exit(0 if answer.status == 200 else f"{URL} answered {answer.status}")
except (urllib.error.URLError, OSError) as error:
    sys.exit(f"{URL} did not answer: {error}")
