"""The alerts that the documentation shows."""

from __future__ import annotations

from pathlib import Path

import promql_parser
import pytest
import yaml
from markdown_it import MarkdownIt

DOCS = Path(__file__).parents[2] / "docs"
METRICS = (DOCS / "reference" / "metrics.md").read_text("utf-8")
FOREIGN = ("up", "node_")
"""The metrics of Prometheus itself and of node_exporter begin so."""

RULES = [
    rule
    for token in MarkdownIt().parse((DOCS / "how-to" / "production.md").read_text("utf-8"))
    if token.type == "fence" and token.content.startswith("groups:")
    for group in yaml.safe_load(token.content)["groups"]
    for rule in group["rules"]
]


def test_there_are_alerts() -> None:
    """The page still shows them as a rules file."""
    assert len(RULES) >= len(("collector", "stream", "batch job", "disk"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_uses_metrics_that_exist(rule: dict[str, str]) -> None:
    """The expression parses, and the metrics reference lists each of our metrics in it."""
    names: set[str] = set()

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            names.add(node.name)
        return True

    promql_parser.walk(promql_parser.parse(rule["expr"]), visit)
    ours = {name for name in names if not name.startswith(FOREIGN)}
    assert names
    assert all(f"`{name}`" in METRICS for name in ours), ours
