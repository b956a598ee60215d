"""How a tab looks, by light and by dark, on a telephone and on a wide screen.

The colours are those of Okabe and Ito, which people with any colour vision can tell apart. Every rule begins with the
tab's own class, because the tab is in a page of Flyte's.
"""

from __future__ import annotations

from typing import Final

from ._html import Html

STYLE: Final = Html("""
.flyte-wandb{--ink:#1f2328;--soft:#59636e;--edge:#d1d9e0;--paper:#fff;--card:#f6f8fa;--line:#0072b2;--good:#006b4f;
--bad:#a63c00;--link:#0059a8;color-scheme:light;box-sizing:border-box;padding:16px;border-radius:8px;
background:var(--paper);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
@media(prefers-color-scheme:dark){.flyte-wandb{--ink:#e6edf3;--soft:#9da7b3;--edge:#3d444d;--paper:#0d1117;--card:#161b22;
--line:#56b4e9;--good:#3fcf9b;--bad:#ff9a57;--link:#79b8ff;color-scheme:dark}}
.flyte-wandb *{box-sizing:border-box;unicode-bidi:isolate}
.flyte-wandb :is(h2,h3,h4){margin:0 0 8px;line-height:1.3;font-weight:600;overflow-wrap:anywhere}
.flyte-wandb h2{font-size:20px}.flyte-wandb h3{font-size:16px}.flyte-wandb h4{font-size:13px;margin-top:16px}
.flyte-wandb :is(small,.note,.empty){color:var(--soft);font-size:13px;font-weight:400}
.flyte-wandb p{margin:0 0 8px;overflow-wrap:anywhere}
.flyte-wandb :is(section,details){margin-top:24px}
.flyte-wandb :is(.good,.bad){display:inline-block;font-size:13px;padding:1px 10px;border:1px solid;border-radius:99px;
vertical-align:2px;white-space:nowrap}
.flyte-wandb .good{color:var(--good)}.flyte-wandb .bad{color:var(--bad)}
.flyte-wandb a{color:var(--link);margin-right:16px}
.flyte-wandb code{font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;background:var(--card);padding:2px 5px;
border-radius:4px;overflow-wrap:anywhere}
.flyte-wandb .error code{color:var(--bad)}
.flyte-wandb .plots{display:grid;gap:12px;grid-template-columns:repeat(auto-fill,minmax(min(100%,280px),1fr))}
.flyte-wandb figure{margin:0;padding:10px 12px;background:var(--card);border:1px solid var(--edge);border-radius:8px;
min-width:0}
.flyte-wandb figcaption{font-weight:600;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.flyte-wandb figure p{margin:4px 0 0;font-size:12px;color:var(--soft);display:flex;flex-wrap:wrap;gap:2px 14px}
.flyte-wandb figure b{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}
.flyte-wandb .holes{color:var(--bad)}
.flyte-wandb .empty{height:120px;display:grid;place-content:center}
.flyte-wandb svg{display:block;width:100%;height:auto}
.flyte-wandb svg text{fill:var(--soft);font:10px system-ui,sans-serif;font-variant-numeric:tabular-nums}
.flyte-wandb .grid{stroke:var(--edge);stroke-width:.7}.flyte-wandb .tick{stroke:var(--soft);stroke-width:.7}
.flyte-wandb .line{fill:none;stroke:var(--line);stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.flyte-wandb .dot{fill:var(--line)}
.flyte-wandb .tip{fill:transparent}.flyte-wandb .tip:hover{fill:var(--line);fill-opacity:.15}
.flyte-wandb summary{font-size:16px;font-weight:600;cursor:pointer;margin-bottom:8px}
.flyte-wandb .wide{overflow-x:auto}
.flyte-wandb table{border-collapse:collapse;font-size:13px;min-width:min(100%,420px)}
.flyte-wandb :is(th,td){text-align:left;vertical-align:top;padding:4px 20px 4px 0;border-bottom:1px solid var(--edge);
white-space:nowrap}
.flyte-wandb th{color:var(--soft);font-weight:500}
@media (max-width:600px){.flyte-wandb table{min-width:0;font-size:12px}
.flyte-wandb :is(th,td){white-space:normal;padding-right:8px}.flyte-wandb td:nth-child(2){overflow-wrap:anywhere}}
.flyte-wandb .facts{width:100%;table-layout:fixed}
.flyte-wandb .facts :is(th,td){white-space:normal;overflow-wrap:anywhere}
.flyte-wandb .facts th{width:34%}.flyte-wandb .facts td{font-variant-numeric:tabular-nums}
""")
"""The style sheet; nothing in it is loaded from elsewhere."""
