"""The look of a page: one style sheet, light and dark, desk and phone."""

from __future__ import annotations

from vla_sim.report.theme import DARK, LIGHT, css_variables

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 var(--font)}
main{max-width:1160px;margin:0 auto;padding:56px 32px 72px}
.eyebrow{color:var(--muted);font-size:13px;letter-spacing:.04em;margin:0 0 10px;overflow-wrap:anywhere}
h1{font-size:clamp(28px,4.4vw,44px);line-height:1.14;letter-spacing:-.02em;font-weight:650;margin:0;max-width:22em;
text-wrap:balance}
.summary{font-size:18px;color:var(--muted);margin:14px 0 0;max-width:46em}
h2{font-size:22px;letter-spacing:-.01em;line-height:1.25;font-weight:620;margin:0 0 8px}
h3{font-size:16px;font-weight:620;margin:26px 0 4px}
section{margin-top:56px}
section>p,.note{color:var(--muted);margin:0 0 16px;max-width:50em;font-size:15px}
.gauge{position:relative;height:10px;border-radius:5px;background:var(--shade2);margin:26px 0 6px}
.gauge .range{position:absolute;top:0;bottom:0;border-radius:5px;background:var(--accent);opacity:.38}
.gauge .point{position:absolute;top:-4px;width:18px;height:18px;margin-left:-9px;border-radius:50%;
background:var(--accent);border:3px solid var(--paper)}
.scale{display:flex;justify-content:space-between;color:var(--muted);font-size:12px}
.tiles{display:grid;grid-template-columns:repeat(3,1fr);gap:14px;margin-top:30px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 18px}
.tile .label{color:var(--muted);font-size:13px}
.tile .value{font-size:30px;line-height:1.25;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile .value small{font-size:15px;font-weight:500;color:var(--muted);letter-spacing:0;margin-left:4px}
.tile .under{color:var(--muted);font-size:13px;line-height:1.4}
.tile.bad .value{color:var(--bad)}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px}
figure+figure,figure+.scroll,.scroll+figure{margin-top:14px}
figure svg{display:block;width:100%;height:auto}
figure .narrow{display:none}
figcaption{color:var(--muted);font-size:14px;margin:0 0 10px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:12px}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:8px 14px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}
th{color:var(--muted);font-weight:500;font-size:13px;line-height:1.3;vertical-align:bottom}
td{white-space:nowrap}
th.num,td.num{text-align:right}
td:first-child{font-weight:550}
td.long{white-space:normal;overflow-wrap:anywhere;min-width:14em}
.good{color:var(--accent);font-weight:600}
a{color:var(--accent)}
details{margin-top:14px}
summary{cursor:pointer;color:var(--accent);font-size:15px}
details>*+*{margin-top:10px}
pre{margin:0;padding:16px 18px;overflow-x:auto;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;
background:var(--card);border:1px solid var(--line);border-radius:12px}
video{display:block;width:100%;border-radius:8px;background:var(--shade2)}
footer{margin-top:64px;color:var(--muted);font-size:13px}
@media(max-width:720px){
main{padding:32px 16px 48px}.summary{font-size:16px}section{margin-top:44px}
.tiles{grid-template-columns:1fr 1fr;gap:10px}.tile{padding:12px 14px}.tile .value{font-size:24px}
figure{padding:12px 10px}figure .wide{display:none}figure .narrow{display:block}
th,td{padding:7px 10px}
}
@media print{body{background:#fff}main{padding:0}section{break-inside:avoid}}
"""

STYLE = (
    f":root{{color-scheme:light dark;--font:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    f"{css_variables(LIGHT)}}}"
    f"@media(prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}{_RULES}"
)
