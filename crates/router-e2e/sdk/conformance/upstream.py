"""What an upstream was sent, held against the request types of its vendor's own SDK.

    upstream.py FILE

FILE has a line of JSON for each request: {"path", "body"}. Prints one line of JSON: {"checked": {dialect:
count}, "flaws": [...]}.
"""

import collections
import json
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

from request_types import ROOTS, flaws

PATHS = {
    "/chat/completions": "openai-chat",
    "/responses": "openai-responses",
    "/messages": "anthropic",
    ":generateContent": "gemini",
    ":streamGenerateContent": "gemini",
}

# Of a passing answer that the client sends back as it came; the types of requests are narrower than those of
# answers there, and the router changes nothing that passes.
ECHOED = {
    "/annotations: not in ChatCompletionAssistantMessageParam",
    "/status: not in ResponseCustomToolCallParam",
}

checked, found = collections.Counter(), collections.Counter()
for line in open(sys.argv[1]):
    request = json.loads(line)
    path = request["path"].split("?")[0]
    dialect = next((name for end, name in PATHS.items() if path.endswith(end)), None)
    if dialect is None:
        found[f"{path}: no such endpoint"] += 1
        continue
    checked[dialect] += 1
    for flaw in flaws(ROOTS[dialect], request["body"]):
        if any(flaw.endswith(echoed) for echoed in ECHOED):
            continue
        found[f"{dialect} {flaw}"] += 1
print(json.dumps({"checked": checked, "flaws": [f"{flaw} ({count} times)" for flaw, count in found.items()]}))
