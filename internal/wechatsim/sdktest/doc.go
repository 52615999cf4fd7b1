// Package sdktest has other people's SDKs of WeChat, as their registries have them, call
// `wxgate sim`: login, phone number, decryption and tokens. It is a separate module, so that
// their libraries are none of wxgate's.
//
// Where an SDK and the simulator disagree, WeChat's documentation decides. What is wrong in an
// SDK is written at the test that shows it.
package sdktest
