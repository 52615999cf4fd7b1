package apisecurity

// advice describes what an operator must fix, by WeChat's error code for signed requests.
var advice = map[int]string{
	40230: "WeChat misses Wechatmp-Serial: compare the serials of api_security with WeChat's console",
	40231: "WeChat requires signed requests (no timestamp): configure api_security for this app, and this call with calls",
	40232: "WeChat requires signed requests (no signature): configure api_security for this app, and this call with calls",
	40233: "WeChat requires signed requests (no appid): configure api_security for this app, and this call with calls",
	40234: "WeChat refused the signature: sign is not the private key of the public key in WeChat's console, or api is not the URL that WeChat sees",
	40235: "WeChat cannot decrypt the request: encrypt is not the symmetric key of WeChat's console, or its serial is another's",
	40236: "WeChat does not know the appid of the signature",
	40237: "the appid of the signature is not that of the access token",
	40238: "no symmetric key is set in WeChat's console (API 安全)",
	40239: "no public key is set in WeChat's console (API 安全)",
	40240: "WeChat found the timestamp too old: correct the gateway's clock",
}

// Advice returns what an operator must fix after WeChat's error codes for encryption and
// signatures, 40230 to 40240; false for any other code.
func Advice(errcode int) (string, bool) {
	text, ok := advice[errcode]
	return text, ok
}
