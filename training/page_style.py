"""The card page's style sheet: one column on a phone, light and dark, nothing loaded from anywhere."""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf6;--sheet:#fff;--ink:#1d2622;--soft:#5d6a63;--line:#dfe3dc;
--green:#2f7a53;--wash:#b4d8c3;--ochre:#cf8436;--grey:#8d9993}
@media(prefers-color-scheme:dark){:root{--paper:#121714;--sheet:#1a211d;--ink:#e4eae6;--soft:#9aa8a0;--line:#2f3934;
--green:#5fb488;--wash:#2f5a45;--ochre:#dd9a50;--grey:#7c8a83}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%;
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:.5rem 0 .25rem;letter-spacing:-.015em}
h2{font-size:1.2rem;margin:2.75rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .6rem}
p,ul{max-width:44rem;margin:.5rem 0}ul{padding-left:1.2rem}li{margin:.35rem 0}
.soft,caption,figcaption,.interval{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.75rem;margin:1.5rem 0}
.tile{display:flex;flex-direction:column;justify-content:space-between;padding:.8rem .9rem}
.tile,figure,.table{background:var(--sheet);border:1px solid var(--line);border-radius:.6rem}
.tile dt{font-size:.85rem;line-height:1.35;color:var(--soft)}.tile dd{margin:.3rem 0 0}
.tile .figure{font-size:1.6rem;font-weight:600;letter-spacing:-.02em;line-height:1.3}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr));gap:1rem;margin:1rem 0}
figure{margin:0;padding:.9rem}figcaption{font-size:.85rem;margin-top:.6rem}
svg{display:block;width:100%;max-width:28rem;height:auto;margin:0 auto}
.table{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;padding:.7rem .8rem 0;font-size:.85rem}caption span{display:block;max-width:calc(100vw - 4rem)}
th,td{padding:.4rem .8rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}
thead th{font-size:.8rem;font-weight:600;color:var(--soft);vertical-align:bottom}
th:first-child,.words td,.words th{text-align:left}tbody th{font-weight:500;min-width:9rem}
.interval{display:block;font-size:.78rem;white-space:nowrap}
.list{display:block;text-align:left;font-size:.8rem;min-width:9.5rem}
code{font:.82em/1.4 ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
td code{display:block;min-width:14rem}
svg text{font:10.5px system-ui,sans-serif;fill:var(--soft)}svg text.label{font-size:11px;fill:var(--ink)}
svg text.small{font-size:9.5px}.halo{paint-order:stroke;stroke:var(--sheet);stroke-width:4px;stroke-linejoin:round}
.grid{stroke:var(--line)}.ideal{stroke:var(--soft);stroke-dasharray:4 3;fill:none}
.threshold{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:2 3}.whisker{stroke:var(--ink);stroke-width:1.2}
.leaf{fill:var(--green)}.more{fill:var(--wash)}.less,.nonleaf{fill:var(--ochre)}.unknown{fill:var(--grey)}.pale{opacity:.4}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}.curve.first{stroke:var(--green)}.curve.second{stroke:var(--grey)}
circle.first{fill:var(--green)}circle.second{fill:var(--grey)}
.key{white-space:nowrap;margin-right:.6em}.key::before{content:"";display:inline-block;width:.75em;height:.75em;
border-radius:.15em;margin-right:.35em;vertical-align:-.05em}.key.leaf::before{background:var(--green)}
.key.more::before{background:var(--wash)}.key.less::before{background:var(--ochre)}
.key.unknown::before{background:var(--grey)}
@media(max-width:30rem){main{padding:1rem .75rem 3rem}h1{font-size:1.45rem}
.tiles{grid-template-columns:1fr 1fr;gap:.5rem}
.tile{padding:.6rem .7rem}.tile .figure{font-size:1.3rem}figure{padding:.7rem}th,td{padding:.4rem .55rem}
tbody th{min-width:7.5rem}}
@media print{body{background:#fff}.table,figure,.tile{break-inside:avoid}}
"""
