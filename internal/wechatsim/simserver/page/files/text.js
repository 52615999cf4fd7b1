// The texts of the page, in two languages. The HTML has the English ones too.
const texts = {
  en: {
    skip: 'Skip to the controls',
    intro: 'A simulated WeChat. Everything here is made up and ends with the process.',
    where: 'Where the API is', base: 'Base URL of an SDK, instead of https://api.weixin.qq.com:',
    apps: 'Apps', platform: 'Platform', url: 'API',
    last: 'Last call',
    nothing: 'Nothing was called yet. Each button shows its response here, and the curl line that does the same.',
    done: 'The call succeeded.', failed: 'The call was refused.', problem: 'The call succeeded, but reports a problem.', copy: 'Copy', copied: 'Copied', same: 'curl line that does the same',
    users: 'Users', app: 'App', name: 'Name', newUser: 'Login code of a new user', noUsers: 'No users in this app.',
    loginCode: 'Login code', phoneCode: 'Phone code', encrypted: 'Encrypted phone', rotate: 'Rotate session_key', drop: 'Delete session_key', risk: 'High risk', riskRank: 'risk rank', webCode: 'Web login code', snapshotCode: 'Code of a snapshot user', nickname: 'nickname', rank: 'Next risk rank',
    phone: 'phone', noKey: 'none: not logged in',
    faults: 'Faults', path: 'Path', every: 'every path', kind: 'Kind', errcode: 'errcode', times: 'Times (0: until cleared)', delay: 'Delay',
    after: 'Do the work first', arm: 'Arm', clearFaults: 'Clear faults', noFaults: 'No fault is armed.', left: 'times left:', forever: 'until cleared',
    clock: 'Clock', expire: 'Expire all access tokens',
    pushes: 'Push', pushURL: 'URL', format: 'Format', mode: 'Mode', save: 'Save and check the URL', user: 'User', type: 'Message', value: 'Value (default: a sample)', push: 'Push it', noPushes: 'Nothing was pushed yet.',
    codes: 'Mini program codes', noCodes: 'getwxacodeunlimit was not called yet.', firstPage: 'first page',
    requests: 'Requests to the API', pause: 'Pause', clearRequests: 'Clear requests', noRequests: 'No request yet.', fault: 'fault', noResponse: 'no response yet',
    lost: 'The simulator does not respond. Start it again with: wxgate sim', dark: 'Dark', light: 'Light',
  },
  zh: {
    skip: '跳到控制台',
    intro: '模拟的微信服务端。这里的数据全是虚构的，进程结束即清空。',
    where: 'API 地址', base: '把 SDK 的 https://api.weixin.qq.com 换成：',
    apps: '应用', platform: '平台', url: 'API',
    last: '最近一次调用',
    nothing: '还没有调用。点击按钮后，这里显示响应和等价的 curl 命令。',
    done: '调用成功。', failed: '调用被拒绝。', problem: '调用成功，但报告了一个问题。', copy: '复制', copied: '已复制', same: '等价的 curl 命令',
    users: '用户', app: '应用', name: '用户名', newUser: '新用户的登录凭证', noUsers: '这个应用还没有用户。',
    loginCode: '登录凭证 code', phoneCode: '手机号 code', encrypted: '加密手机号', rotate: '更换 session_key', drop: '删除 session_key', risk: '高风险', riskRank: '安全等级', webCode: '网页登录 code', snapshotCode: '快照页用户的 code', nickname: '昵称', rank: '下一个安全等级',
    phone: '手机号', noKey: '无：尚未登录',
    faults: '故障', path: '路径', every: '所有路径', kind: '类型', errcode: 'errcode', times: '次数（0：直到清除）', delay: '延迟',
    after: '先执行再出错', arm: '启用', clearFaults: '清除故障', noFaults: '没有启用的故障。', left: '剩余次数：', forever: '直到清除',
    clock: '时钟', expire: '让所有 access_token 过期',
    pushes: '消息推送', pushURL: 'URL', format: '数据格式', mode: '加解密方式', save: '保存并验证 URL', user: '用户', type: '消息', value: '内容（默认为示例）', push: '推送', noPushes: '还没有推送过消息。',
    codes: '小程序码', noCodes: '还没有调用过 getwxacodeunlimit。', firstPage: '首页',
    requests: 'API 收到的请求', pause: '暂停', clearRequests: '清除请求', noRequests: '还没有请求。', fault: '故障', noResponse: '尚无响应',
    lost: '模拟器没有响应。请重新运行：wxgate sim', dark: '深色', light: '浅色',
  },
}

let language = remembered('language') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en')

// remembered reads a setting; a browser may refuse storage.
export function remembered(name) {
  try {
    return localStorage.getItem(`wxgate-sim-${name}`)
  } catch {
    return null
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`wxgate-sim-${name}`, value)
  } catch { /* the setting lasts until the page is closed */ }
}

// text returns a text in the language of the page.
export const text = (name) => texts[language][name]

// translate writes the texts of all elements that name one.
export function translate() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text)
}

// switchLanguage changes to the other language.
export function switchLanguage() {
  language = language === 'zh' ? 'en' : 'zh'
  remember('language', language)
  translate()
}

export const otherLanguage = () => (language === 'zh' ? ['en', 'English'] : ['zh-CN', '中文'])
