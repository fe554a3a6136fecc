"""What people look at: boards, rules and alerts, as code."""
