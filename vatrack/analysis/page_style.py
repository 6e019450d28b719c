"""Style sheet of the pages: light and dark, from phones to wide screens."""

#: Colours of lines and bars, s0, s1 ..., on light and on dark ground.
SERIES = ('#0b62b8', '#c2410c', '#5b7f1c', '#8b3fb0', '#0b7d78', '#b0316d', '#8a6a00', '#5b6170')
_ON_DARK = ('#6cb2ff', '#ff9a5c', '#b3d267', '#d49bf2', '#59d0c9', '#ff8dc0', '#e5c04a', '#b4bac8')

_STYLE = '''
:root { color-scheme: light dark;
  --ground: #fbfbfc; --panel: #ffffff; --text: #1b1d23; --muted: #5a5f6b; --rule: #dcdee4;
  LIGHT_SERIES
  --good: #0b62b8; --bad: #c2410c; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #15161a; --panel: #1d1f25; --text: #e8e9ee; --muted: #a3a8b6; --rule: #363944;
  DARK_SERIES
  --good: #6cb2ff; --bad: #ff9a5c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 24px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 1.3rem; margin: 40px 0 8px; padding-top: 16px; border-top: 2px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 28px 0 8px; }
h4 { font-size: .95rem; margin: 18px 0 2px; }
h4 small { font-weight: 400; }
p { margin: 6px 0; max-width: 75ch; }
a { color: var(--good); }
nav a { margin-right: 16px; }
small, .muted { color: var(--muted); font-size: .85rem; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px;
  margin: 8px 0; font-size: .9rem; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.cards { display: grid; gap: 10px; margin: 12px 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 150px), 1fr)); }
.card, .plot { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; }
.card { padding: 8px 14px; }
.card b { display: block; font-size: 1.5rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.plots { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); }
.plot { margin: 0; padding: 10px 12px 8px; }
.plot figcaption { font-size: .9rem; }
.chart { display: block; width: 100%; max-width: 480px; height: auto; }
.chart text { fill: var(--muted); font-size: 11px; }
.chart .note { font-size: 9.5px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.axis { stroke: var(--muted); stroke-width: 1; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); }
.s3 { fill: var(--s3); } .s4 { fill: var(--s4); } .s5 { fill: var(--s5); }
.s6 { fill: var(--s6); } .s7 { fill: var(--s7); }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.line.s0 { stroke: var(--s0); } .line.s1 { stroke: var(--s1); stroke-dasharray: 7 4; }
.line.s2 { stroke: var(--s2); stroke-dasharray: 2 3; }
.line.s3 { stroke: var(--s3); stroke-dasharray: 10 3 2 3; }
.line.s4 { stroke: var(--s4); stroke-dasharray: 14 3; } .line.s5 { stroke: var(--s5); }
.line.s6 { stroke: var(--s6); stroke-dasharray: 4 3; }
.line.s7 { stroke: var(--s7); stroke-dasharray: 1 2; }
.line.faint { stroke-width: 1; stroke-opacity: .35; stroke-dasharray: none; }
.runs { list-style: none; margin: 8px 0; padding: 0; display: flex; flex-wrap: wrap;
  gap: 4px 20px; }
.runs li { overflow-wrap: anywhere; min-width: 0; }
.runs svg { width: 34px; height: 10px; vertical-align: middle; margin-right: 6px; }
.values th:nth-child(2), .values td:nth-child(2) { text-align: left; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: .85rem; padding-bottom: 6px; }
caption span { display: inline-block; max-width: min(100%, calc(100vw - 34px)); }
th, td { padding: 5px 8px; text-align: right; border-bottom: 1px solid var(--rule);
  vertical-align: top; white-space: nowrap; }
th:first-child { text-align: left; font-weight: 600; white-space: normal; }
thead small { display: block; font-weight: 400; }
thead th { color: var(--muted); font-size: .85rem; font-weight: 600; vertical-align: bottom; }
.strata { border-collapse: separate; border-spacing: 0; }
.strata th:first-child { position: sticky; left: 0; background: var(--ground); }
.strata [scope=colgroup] { text-align: center; }
tbody th small { display: block; font-weight: 400; }
.part th:first-child { padding-left: 26px; }
.totals th, .totals td { color: var(--muted); }
.totals tr:first-child > * { border-top: 2px solid var(--rule); }
.meter { width: 24%; min-width: 78px; }
.bar { display: block; height: 6px; margin-top: 4px; border-radius: 3px; background: var(--rule); }
.bar i { display: block; height: 6px; border-radius: 3px; background: var(--good); }
.bar .loss { background: var(--bad); }
.cases { display: grid; gap: 14px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); }
.cases figure { margin: 0; }
.cases .wide { grid-column: span 2; }
.cases img { display: block; max-width: 100%; height: auto; border-radius: 6px; }
.cases figcaption { font-size: .82rem; margin-top: 4px; overflow-wrap: anywhere; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  margin: 0 4px -1px 0; }
.hollow { background: none !important; border: 2px solid; }
footer { padding-bottom: 40px; }
@media (max-width: 620px) {
  th, td { padding: 5px 5px; } .meter { width: auto; min-width: 62px; }
  .strata { font-size: .82rem; line-height: 20px; } .cases .wide { grid-column: auto; }
  h1 { font-size: 1.35rem; } }
'''


def _variables(colors: tuple[str, ...]) -> str:
    return ' '.join(f'--s{number}: {color};' for number, color in enumerate(colors))


STYLE = (_STYLE.replace('LIGHT_SERIES', _variables(SERIES))
         .replace('DARK_SERIES', _variables(_ON_DARK)))
