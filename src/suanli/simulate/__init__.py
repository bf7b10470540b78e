"""Floor 3: playing requests and failures; the only home of compiled code."""
