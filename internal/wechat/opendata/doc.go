// Package opendata decrypts the data that a platform encrypted on the user's phone:
// encryptedData and iv, which a mini program gets from getPhoneNumber, getUserInfo and similar
// calls. It makes no calls.
package opendata
