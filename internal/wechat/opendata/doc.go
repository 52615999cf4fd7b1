// Package opendata opens what a platform encrypted on the user's phone: encryptedData
// and iv, which a mini program gets from getPhoneNumber, getUserInfo and the like.
// It makes no calls.
package opendata
