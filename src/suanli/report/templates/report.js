(function () {
  'use strict';
  const specs = JSON.parse(document.getElementById('specs').textContent);
  const tip = document.getElementById('tip');
  const font = getComputedStyle(document.body).fontFamily;
  const muted = 'var(--muted)', rule = 'var(--rule)', ink = 'var(--ink)';
  const config = {
    font: font, background: null, padding: { left: 2, right: 8, top: 4, bottom: 2 },
    autosize: { type: 'fit-x', contains: 'padding' }, view: { stroke: null },
    axis: {
      labelColor: ink, titleColor: muted, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal',
      domainColor: rule, tickColor: rule, gridColor: rule, labelPadding: 6, titlePadding: 8
    },
    axisY: { domain: false, ticks: false }, axisX: { grid: false },
    legend: { labelColor: ink, labelFontSize: 12, symbolType: 'square', symbolSize: 90, rowPadding: 4, columnPadding: 14, offset: 8 },
    text: { fontSize: 12 }
  };

  function place(x, y) {
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8)) + 'px';
    tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(8, y - box.height - 12) : y + 18) + 'px';
  }

  function show(rows, x, y) {
    tip.replaceChildren(...rows.map(function (row) {
      const line = document.createElement('div');
      for (const text of row) {
        const part = document.createElement('span');
        part.textContent = text;
        line.append(part);
      }
      return line;
    }));
    tip.hidden = false;
    place(x, y);
  }

  function tooltip(handler, event, item, value) {
    if (value === null || value === undefined || value === '') { tip.hidden = true; return; }
    const rows = typeof value === 'object' ? Object.entries(value) : [['', String(value)]];
    show(rows, event.clientX, event.clientY);
  }

  function draw(place) {
    const compiled = vegaLite.compile(specs[place.dataset.key], { config: config }).spec;
    const loader = vega.loader();
    loader.load = function () { return Promise.reject(new Error('offline')); };
    const view = new vega.View(vega.parse(compiled, null, { ast: true }), {
      expr: window.expressionInterpreter, renderer: 'svg', container: place, hover: true, loader: loader, logLevel: vega.Error
    });
    view.tooltip(tooltip);
    return view.runAsync().then(function () { place.dataset.drawn = 'yes'; });
  }

  function fail(place, error) {
    place.classList.add('failed');
    place.dataset.failed = String(error && error.message || error);
    const numbers = place.parentElement.querySelector('details');
    if (numbers) numbers.open = true;
  }

  for (const place of document.querySelectorAll('.chart')) {
    try { draw(place).catch(function (error) { fail(place, error); }); } catch (error) { fail(place, error); }
  }

  document.addEventListener('click', function (event) {
    const number = event.target.closest('.n');
    if (number && number.title) show([[number.title]], event.clientX, event.clientY);
    else tip.hidden = true;
  });
  document.addEventListener('scroll', function () { tip.hidden = true; }, { passive: true });
})();
