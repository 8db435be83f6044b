"""The look of a page: one style sheet, light and dark, desk and phone."""

from __future__ import annotations

from vla_sim.report.theme import DARK, LIGHT, css_variables

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 var(--font)}
main{max-width:1160px;margin:0 auto;padding:56px 32px 72px}
.eyebrow{color:var(--muted);font-size:13px;letter-spacing:.04em;margin:0 0 10px;overflow-wrap:anywhere}
h1{font-size:clamp(28px,4.4vw,44px);line-height:1.14;letter-spacing:-.02em;font-weight:650;margin:0;max-width:24em;
text-wrap:balance}
h1.long{font-size:clamp(22px,3vw,34px);max-width:32em;text-wrap:pretty}
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
.facts{margin:22px 0 0;border-top:1px solid var(--line)}
.facts>div{display:grid;grid-template-columns:12.5em 1fr;gap:4px 18px;padding:9px 0;border-bottom:1px solid var(--line)}
.facts dt{color:var(--muted);font-size:14px}
.facts dd{margin:0;overflow-wrap:anywhere}
.soft{color:var(--muted)}
.gates{list-style:none;margin:22px 0 0;padding:0;display:grid;gap:8px}
.gates li{padding:9px 14px;border-radius:8px;background:var(--card);border:1px solid var(--line);
border-left:4px solid var(--accent);font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.gates b{color:var(--accent);font-weight:620;margin-right:8px}
.gates .fail{border-left-color:var(--bad)}.gates .fail b{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(3,1fr);gap:14px;margin-top:30px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 18px}
.tile .label{color:var(--muted);font-size:13px}
.tile .value{font-size:30px;line-height:1.25;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile .value small{font-size:15px;font-weight:500;color:var(--muted);letter-spacing:0;margin-left:4px}
.tile .under{color:var(--muted);font-size:13px;line-height:1.4}
.tile.bad .value{color:var(--bad)}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px}
figure+figure,figure+.scroll,.scroll+figure,details+.scroll{margin-top:14px}
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
td.long{white-space:normal;overflow-wrap:anywhere;min-width:22em}
.matrix{table-layout:fixed}
.matrix th{font-size:13px;overflow-wrap:anywhere}.matrix thead th:not(.corner){text-align:center}
.matrix .corner{width:9em;font-size:12px}
.matrix tbody th{color:var(--ink);font-weight:550;vertical-align:middle;border-bottom:1px solid var(--line)}
.matrix td{padding:8px 4px;text-align:center;white-space:normal;line-height:1.35;border:2px solid var(--card);
border-radius:6px;background:color-mix(in srgb,var(--accent) calc(var(--deep,0%)*.6),var(--shade))}
.matrix td b{display:block;font-size:17px;font-weight:620}.matrix td a{color:inherit;text-decoration-thickness:1px;
text-underline-offset:3px}
.matrix td span{display:block;font-size:12px}.matrix td b .mark{display:inline;font-size:14px}
.matrix td .soft{color:var(--ink)}.matrix .over{color:var(--bad);font-weight:600}
.screens{display:grid;grid-template-columns:1fr 1fr;gap:14px}
.screens figure+figure{margin-top:0}.screen.first b{color:var(--s1)}.screen.second b{color:var(--s2)}
.screen .view{aspect-ratio:4/3;border-radius:8px;background:var(--shade2);overflow:hidden;display:grid;
place-items:center}
.screen img{width:100%;height:100%;object-fit:contain;display:block}
.screen .none{display:none;color:var(--muted);font-size:14px;margin:0}
.screen.empty img{display:none}.screen.empty .none{display:block}.screen.over img{opacity:.45}
.screen .now{margin:10px 0 0;font-size:14px;min-height:1.5em}.screen .outcome{display:block}
.controls{display:flex;align-items:center;gap:14px;margin:14px 0;position:sticky;bottom:0;padding:10px 14px;
background:var(--card);border:1px solid var(--line);border-radius:12px;z-index:5}
.controls input{flex:1;min-width:0;accent-color:var(--accent)}
.controls button{width:40px;height:36px;border-radius:8px;border:1px solid var(--line);background:var(--shade);
color:var(--ink);font-size:15px;cursor:pointer}
.controls output{font-variant-numeric:tabular-nums;min-width:4.6em;text-align:right}
.axis{position:relative;cursor:crosshair}
.playhead{position:absolute;top:0;bottom:0;width:2px;margin-left:-1px;background:var(--bad);pointer-events:none;
left:calc(100%*(var(--left) + var(--t,0)*(var(--right) - var(--left))))}
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
main{padding:32px 16px 48px}h1.long{font-size:clamp(22px,3vw,34px);max-width:32em;text-wrap:pretty}
.summary{font-size:16px}section{margin-top:44px}
.tiles{grid-template-columns:1fr 1fr;gap:10px}.tile{padding:12px 14px}.tile .value{font-size:24px}
.facts>div{grid-template-columns:1fr;gap:0}
.screens{gap:8px}.screens figure{padding:8px}.screen .now,.screen .outcome,.screen figcaption{font-size:12px}
figure{padding:12px 10px}figure .wide{display:none}figure .narrow{display:block}
th,td{padding:7px 10px}td:first-child{white-space:normal;min-width:10.5em}
.matrix .corner{width:5.6em;font-size:10.5px}.matrix th{font-size:11px;padding:6px 3px 6px 7px}
.matrix td{padding:6px 1px}.matrix td b{font-size:13.5px}.matrix td span{font-size:10.5px}
.matrix td b .mark{font-size:11px}
}
@media(prefers-color-scheme:dark){
.matrix td{background:color-mix(in srgb,var(--accent) calc(var(--deep,0%)*.4),var(--shade))}
}
@media print{body{background:#fff}main{padding:0}section{break-inside:avoid}}
"""

STYLE = (
    f":root{{color-scheme:light dark;--font:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    f"{css_variables(LIGHT)}}}"
    f"@media(prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}{_RULES}"
)
