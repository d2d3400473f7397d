"""What stands in an inbox, in lines. What others wrote is shown as quoted: it is data, not instruction."""

from collections.abc import Mapping
from typing import Any

from mcp_gateway.agent import wording
from mcp_gateway.agent.output import clean, quoted


def lines(item: Mapping[str, Any]) -> list[str]:
    """One item of the inbox."""
    message = item.get("message")
    when = wording.moment(item["at"])
    if message is None:
        about = f"{item['subject']['kind']} {item['subject']['id']}"
        told = ", ".join(
            f"{name}: {clean(_short(value))}" for name, value in item["data"].items() if value not in (None, "")
        )
        return [f"{item['type']}  {when}  {about}" + (f"  ({told})" if told else "")]
    sender = message["sender"]
    name = sender["agent"] or sender["name"]
    where = f" ({sender['instance']})" if sender["instance"] else ""
    marks = [message["kind"]] if message["kind"] != "note" else []
    marks += [message["importance"]] if message["importance"] != "normal" else []
    marks += ["wants an acknowledgement"] if message["ack_required"] else []
    head = f"{message['id']}  from {name}{where}  to {message['to']}  {when}"
    return [head + (f"  [{', '.join(marks)}]" if marks else ""), *quoted(message["text"])]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else f"{text[:200]} …"
