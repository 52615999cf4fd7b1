// Package apisecurity encrypts and signs the calls of WeChat's server API that support
// it, and verifies and decrypts the responses (服务端 API 签名加密). It makes no calls.
//
// Only AES256_GCM with RSAwithSHA256 is implemented: the standard library has neither SM4
// nor SM2.
//
// # What each check stops
//
// The attacker is between the gateway and WeChat, and can read and change the content of TLS
// connections: a proxy that terminates TLS, or the owner of a trusted CA.
//
//   - The signature stops a response that WeChat did not make.
//   - The serial selects the key. A serial that is not configured is refused, so that the
//     attacker cannot use their own key.
//   - The URL, which is signed and authenticated, stops the response of another call: the
//     rank of a user as the validity of a phone number.
//   - The appid stops the response for another mini program, whose owner may be the
//     attacker.
//   - The timestamp stops a recorded response after [Window].
//   - The tag and the repeated _appid and _timestamp stop a ciphertext that was moved under
//     the headers of another response.
//   - The refusal of plain responses stops an attacker who responds in place of WeChat
//     without any key. A plain error passes as an error only: the attacker can make a call
//     fail, as by dropping packets.
//
// Within the window, a recorded response to the same call of the same mini program passes:
// WeChat's responses do not repeat the nonce of the request.
//
// https://developers.weixin.qq.com/miniprogram/dev/server/getting_started/api_signature
package apisecurity
