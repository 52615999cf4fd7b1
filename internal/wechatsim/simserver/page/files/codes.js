// The codes that getwxacodeunlimit made: what a phone reads that scans one.
import { byID, element, named, showList } from './call.js'

// showCodes shows the codes, newest first.
export function showCodes(codes) {
  showList(byID('codes'), codes.toReversed(), (code) => element('li', { className: 'line' },
    element('time', { dateTime: code.time, textContent: code.time.slice(11, 19) }),
    element('span', { className: 'mono', textContent: code.appid }),
    code.page ? element('span', { className: 'mono', textContent: code.page }) : named('span', 'firstPage'),
    element('span', { className: 'mono', textContent: `scene=${code.scene}` })))
  byID('no-codes').hidden = codes.length > 0
}
