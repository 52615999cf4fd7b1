package auth

// Device is a class of devices, as a login's User-Agent says it. It is for operators
// and for limits, and no proof of anything: a client can send what it likes.
type Device uint8

// The classes of devices. Stored records have the numbers: never change one.
const (
	DeviceOther Device = iota // unrecognized, or of a session that an older wxgate began
	DeviceIOS
	DeviceAndroid
	DeviceHarmony // HarmonyOS without Android
	DeviceWindows
	DeviceMac
	DeviceLinux
	DeviceDevTools // WeChat's developer tools
)

var deviceNames = [...]string{"other", "ios", "android", "harmony", "windows", "mac", "linux", "devtools"}

// String returns the name of the class, such as "ios"; "other" for a class that a newer
// wxgate wrote.
func (d Device) String() string {
	if int(d) >= len(deviceNames) {
		return deviceNames[DeviceOther]
	}
	return deviceNames[d]
}

// Door is how a session was begun.
type Door uint8

// DoorMiniProgram is a login with a code of wx.login. Stored records have the number.
const DoorMiniProgram Door = 0

// String returns the name of the door.
func (d Door) String() string {
	if d == DoorMiniProgram {
		return "miniprogram"
	}
	return "other"
}
