"""Floor 3: telling the answer: terminal, HTML, Excel, JSON."""
