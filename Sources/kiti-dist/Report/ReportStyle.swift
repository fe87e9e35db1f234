/// How the report's page looks: in light and in dark surroundings, and on paper.
enum ReportStyle {
  static let sheet = """
    :root { color-scheme: light dark;
      --page: #fbfbfa; --card: #ffffff; --ink: #1d2329; --soft: #5d6670; --line: #dfe3e6;
      --first: #2f6d9f; --second: #c2592b; --loading: #c79a2e; --compute: #3d7fb3; --backward: #285a85;
      --communication: #c2592b; --update: #4f9468; --other: #9aa3ab; --travel: #b78bb5; --notice: #fdf3e4; }
    @media (prefers-color-scheme: dark) { :root { --page: #14181c; --card: #1b2025; --ink: #e6e9ec; --soft: #9aa4ad;
      --line: #313840; --first: #6eaede; --second: #e98a5c; --loading: #d8b152; --compute: #5c9fd4; --backward: #3b76a8;
      --communication: #e07a4b; --update: #6bb286; --other: #737d86; --travel: #b78bb5; --notice: #2f281b; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--page); color: var(--ink);
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
    main { max-width: 1160px; margin: 0 auto; padding: 32px 24px 56px; }
    h1 { margin: 0; font-size: 28px; line-height: 1.25; overflow-wrap: anywhere; }
    h2 { margin: 36px 0 12px; font-size: 18px; }
    p { margin: 4px 0 0; } .soft { color: var(--soft); }
    dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1px; margin: 24px 0 0;
      background: var(--line); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
    dl div { background: var(--card); padding: 10px 14px; }
    dt { color: var(--soft); font-size: 13px; } dd { margin: 0; overflow-wrap: anywhere; }
    .notice { background: var(--notice); border-left: 3px solid var(--loading); padding: 8px 12px; margin: 12px 0 0;
      border-radius: 0 6px 6px 0; }
    .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(460px, 100%), 1fr)); gap: 16px;
      align-items: start; }
    figure { margin: 0; padding: 12px 14px 8px; background: var(--card); border: 1px solid var(--line);
      border-radius: 8px; }
    figcaption { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline; margin-bottom: 6px; }
    .key { color: var(--soft); font-size: 13px; }
    .key::before { content: ""; display: inline-block; width: 11px; height: 11px; margin-right: 5px; border-radius: 2px;
      vertical-align: -1px; background: var(--tone); }
    svg { display: block; width: 100%; height: auto; }
    svg text { fill: var(--soft); font-size: 12px; font-family: inherit; }
    .wide svg text { font-size: 11px; }
    .grid { stroke: var(--line); fill: none; } .axis { stroke: var(--soft); fill: none; }
    .first { --tone: var(--first); } .second { --tone: var(--second); }
    .curve { fill: none; stroke: var(--tone); stroke-width: 1.7; stroke-linejoin: round; }
    .band { fill: var(--tone); opacity: 0.2; } .dot { fill: var(--tone); }
    .phase-loading { --tone: var(--loading); } .phase-compute { --tone: var(--compute); }
    .phase-backward { --tone: var(--backward); } .phase-communication { --tone: var(--communication); }
    .phase-update { --tone: var(--update); } .phase-other { --tone: var(--other); }
    .phase-travel { --tone: var(--travel); }
    rect { fill: var(--tone); }
    table { border-collapse: collapse; width: 100%; }
    .scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
    tbody tr:last-child td { border-bottom: none; }
    th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid var(--line);
      font-variant-numeric: tabular-nums; }
    th { color: var(--soft); font-weight: 500; font-size: 13px; } .name { text-align: left; }
    .spark { width: 150px; height: 24px; margin-left: auto; }
    .maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 12px; margin-top: 12px; }
    .maps figcaption { font-size: 13px; } .cosines { background: var(--page); } .cosines path { fill: var(--tone); }
    details { margin-top: 36px; } summary { cursor: pointer; font-size: 18px; font-weight: 600; }
    pre { padding: 14px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto;
      font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
    @media print { figure, table, dl { break-inside: avoid; } }
    """
}
