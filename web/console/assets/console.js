// What htmx does not do: the time zone, relative times, new rows of the list, the range on the chart, copying, and the keyboard.
'use strict'
const $ = (s, in_ = document) => in_.querySelector(s), $$ = (s, in_ = document) => [...in_.querySelectorAll(s)]

// Reloading the answer to a form loads the page of the form instead of sending it twice.
const here = document.documentElement.dataset.here
if (here) history.replaceState(null, '', here)

// The secret of a one-time link is in the fragment, which leaves the address at once. The button uses the link.
const link = $('#link')
if (link && location.hash.length > 1) {
  link.value = location.hash.slice(1)
  history.replaceState(null, '', location.pathname)
  $('#link-field').hidden = true
  $('#link-found').hidden = false
  $('button', link.form).focus()
}

// On a phone the filters of deliveries would hide the list.
if (matchMedia('(max-width: 40rem)').matches) $$('.filterbox').forEach(f => { f.open = false })

// A cookie tells the server this browser's time zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
const kept = document.cookie.split('; ').find(c => c.startsWith('hooktape_zone='))
if (!kept || decodeURIComponent(kept.slice(14)) !== zone) {
  document.cookie = 'hooktape_zone=' + encodeURIComponent(zone) + '; path=/; max-age=31536000; samesite=strict'
  if (document.documentElement.dataset.zone && zone !== 'UTC' && !sessionStorage.zoned) { sessionStorage.zoned = 1; location.reload() }
}

// Relative times follow the clock, as moment.Ago writes them.
const ahead = Date.now() - document.documentElement.dataset.now // of the server's clock
function ago(ms) {
  const s = Math.floor(Math.abs(ms) / 1000), min = Math.floor(s / 60)
  const text = s < 60 ? s + ' s' : s < 3600 ? min + ' min' : Math.floor(min / 60) + ' h ' + min % 60 + ' min'
  return ms < 0 ? 'in ' + text : s < 2 ? 'now' : text + ' ago'
}
setInterval(() => $$('time.ago').forEach(e => {
  const ms = Date.now() - ahead - Date.parse(e.dateTime)
  if (Math.abs(ms) < 864e5) e.textContent = ago(ms)
}), 5000)

// Buttons that need this script are hidden without it.
$$('[data-copy], #keys, #all, #pause').forEach(e => { e.hidden = false })

// The list asks for new rows every two seconds, unless it is paused or hidden.
const tail = $('[data-after]'), pause = $('#pause')
const paused = () => pause.getAttribute('aria-pressed') === 'true'
function toggle() {
  if (!pause) return
  pause.setAttribute('aria-pressed', String(!paused()))
  sessionStorage.paused = paused() ? 1 : ''
}
if (tail && pause) {
  if (sessionStorage.paused) toggle()
  pause.onclick = toggle
  let busy = false
  setInterval(() => { if (!paused() && !document.hidden && !busy) { busy = true; htmx.trigger(tail, 'tail') } }, 2000)
  tail.addEventListener('htmx:configRequest', e => { e.detail.parameters.after = tail.dataset.after })
  tail.addEventListener('htmx:beforeSwap', e => { if (e.detail.xhr.status !== 200) e.detail.shouldSwap = false })
  tail.addEventListener('htmx:afterRequest', e => {
    busy = false
    pause.classList.toggle('cut', !e.detail.successful)
    tail.dataset.after = e.detail.xhr.getResponseHeader('X-Hooktape-After') || tail.dataset.after
    if (e.detail.xhr.status === 200) tail.id === 'rows' ? settle(+e.detail.xhr.getResponseHeader('X-Hooktape-Most')) : location.reload()
  })
}
// settle removes rows that the list had already, and sorts the others. If an answer has the most rows that it can have, there may
// be more.
function settle(most) {
  const seen = new Map()
  for (const row of $$('tr[data-key]', tail)) {
    if (seen.has(row.id)) { $('input', row).checked && ($('input', seen.get(row.id)).checked = true); row.contains(document.activeElement) ? (seen.get(row.id).remove(), seen.set(row.id, row)) : row.remove() }
    else seen.set(row.id, row)
  }
  const rows = [...seen.values()].sort((a, b) => a.dataset.key < b.dataset.key ? 1 : -1)
  let fresh = 0
  rows.forEach((row, i) => {
    if (settle.known && !settle.known.has(row.id)) { fresh++; row.classList.add('new') }
    if (tail.children[i] !== row) tail.insertBefore(row, tail.children[i])
  })
  rows.slice(500).forEach(r => r.remove())
  if (rows.length > 500 || fresh && fresh >= most) $('#much').hidden = false
  settle.known = new Set(rows.map(r => r.id))
  countSelected()
  if (fresh) $('#news').textContent = fresh === 1 ? '1 new event' : fresh + ' new events'
}
if (tail && tail.id === 'rows') settle.known = new Set($$('tr', tail).map(r => r.id))

// Dragging on the chart sets the time range of the list.
document.addEventListener('pointerdown', e => {
  const chart = e.target.closest('#spark')
  if (!chart || e.button) return
  const box = chart.getBoundingClientRect(), part = x => Math.min(1, Math.max(0, (x - box.left) / box.width)), drag = $('#drag')
  const from = part(e.clientX), wide = chart.viewBox.baseVal.width
  const move = m => { const to = part(m.clientX); drag.setAttribute('x', wide * Math.min(from, to)); drag.setAttribute('width', wide * Math.abs(to - from)) }
  const up = u => {
    removeEventListener('pointermove', move)
    const to = part(u.clientX), first = +chart.dataset.from, all = chart.dataset.to - first
    if (Math.abs(to - from) < .004) return
    const at = p => encodeURIComponent(new Date(first + all * p).toISOString()), base = chart.dataset.base
    location.href = base + (base.includes('?') ? '&' : '?') + 'from=' + at(Math.min(from, to)) + '&until=' + at(Math.max(from, to))
  }
  e.preventDefault()
  addEventListener('pointermove', move)
  addEventListener('pointerup', up, { once: true })
})

document.addEventListener('click', async e => {
  const copy = e.target.closest('[data-copy]')
  if (copy) {
    const text = $(copy.dataset.copy).textContent
    try { await navigator.clipboard.writeText(text) } catch { // the clipboard needs TLS or localhost
      const area = document.body.appendChild(Object.assign(document.createElement('textarea'), { value: text }))
      area.select(); document.execCommand('copy'); area.remove()
    }
    copy.textContent = 'Copied'
    setTimeout(() => { copy.textContent = 'Copy' }, 1500)
  }
  if (e.target.id === 'all') $$('input[name=id]:enabled').forEach(b => { b.checked = e.target.checked }), countSelected()
  if (e.target.closest('#keys')) $('#help').showModal()
  $$('details.menu[open]').forEach(m => { if (!m.contains(e.target)) m.open = false })
})

// The bar of selected events has their number.
function countSelected() {
  const count = $('#count'), n = $$('#rows input:checked').length
  if (count) count.textContent = n + ' selected', count.hidden = !n
}
document.addEventListener('change', countSelected)
document.addEventListener('reset', () => setTimeout(() => { if ($('#all')) $('#all').checked = false; countSelected() }))
countSelected()

// Keyboard shortcuts, outside of fields.
const places = { e: '/', v: '/deliveries', r: '/replays', d: '/endpoints', s: '/sources', a: '/analytics' }
let going = false
document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return
  const field = e.target.matches('input:not([type=checkbox]), select, textarea')
  if (e.key === 'Escape') { $$('details.menu[open]').forEach(m => { m.open = false; $('summary', m).focus() }); if (field) e.target.blur(); return }
  if (field || $('dialog[open]')) return
  if (going) { going = false; if (places[e.key]) location.href = places[e.key]; return }
  const rows = $$('#rows tr:not(.under), .events tr[data-key]'), at = rows.findIndex(r => r.contains(document.activeElement))
  const go = i => { const row = rows[Math.min(rows.length - 1, Math.max(0, i))]; row && $('a', row).focus() }
  const act = {
    j: () => go(at + 1), k: () => go(at - 1), x: () => at >= 0 && $('input', rows[at])?.click(), p: toggle, g: () => { going = true },
    '/': () => $('#q') ? $('#q').focus() : (location.href = '/'), '?': () => $('#help')?.showModal(),
  }[e.key]
  if (act) { e.preventDefault(); act() }
})
