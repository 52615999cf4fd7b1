// 把错误转成给用户看的一句话。
module.exports = function message(failure) {
  if (failure.name === 'HostError') {
    const { errMsg } = failure
    if (/deny|cancel/.test(errMsg)) return '已取消'
    if (/domain/.test(errMsg)) return '网关域名不在小程序后台的服务器域名里'
    return /^(request|uploadFile):/.test(errMsg) ? '网络不可用，请检查网络后重试' : '调用失败：' + errMsg
  }
  switch (failure.code) {
    case 'logged_out': return '请先登录'
    case 'phone_required': return '请先在“我的”里绑定手机号'
    case 'scan_not_found': return '登录码无效或已过期，请在电脑上刷新后重新扫码'
    case 'wrong_number': return '数字不对，请核对电脑屏幕上的数字'
    case 'risk_blocked': return '微信判定当前账号存在风险，无法登录'
    default: return failure.retryAfter ? '系统繁忙，请稍后再试' : '出错了，请联系客服：' + (failure.requestId || failure.message)
  }
}
