package simserver

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

// wireEncrypt is the input of the three calls that encrypt. A GET has the kind in its
// path, and only members that fit in a query.
type wireEncrypt struct {
	wireUser
	wirePhone
	wireSealing
	Kind    string            `json:"kind"`
	Profile wechatsim.Profile `json:"profile"`
	JSON    json.RawMessage   `json:"json"`
	Exact   bool              `json:"exact"`
}

// snakeEncrypted is an [wechatsim.Encrypted] as a mini program posts it to a gateway, so
// that a shell can pass it to curl's --data.
type snakeEncrypted struct {
	EncryptedData string `json:"encrypted_data"`
	IV            string `json:"iv"`
	RawData       string `json:"raw_data,omitempty"`
	Signature     string `json:"signature,omitempty"`
}

// encryptKind reads the input and encrypts. kind, if set, overrides the input's.
func encryptKind(s *wechatsim.Sim, r *http.Request, kind string) (wechatsim.Encrypted, error) {
	var in wireEncrypt
	if err := input(r, &in); err != nil {
		return wechatsim.Encrypted{}, err
	}
	how, err := in.sealing()
	if err != nil {
		return wechatsim.Encrypted{}, err
	}
	how.Exact = in.Exact
	if kind == "" {
		kind = in.Kind
	}
	switch kind {
	case "phone":
		return s.EncryptPhone(in.user(), in.number(), how)
	case "profile":
		return s.EncryptProfile(in.user(), in.Profile, how)
	case "json":
		return s.EncryptJSON(in.user(), in.JSON, how)
	default:
		return wechatsim.Encrypted{}, fmt.Errorf("reading kind: %q is not phone, profile or json", kind)
	}
}

func encrypt(s *wechatsim.Sim, r *http.Request) (any, error) {
	return orNil(encryptKind(s, r, ""))
}

func encryptedPhone(s *wechatsim.Sim, r *http.Request) (any, error) {
	return snake(encryptKind(s, r, "phone"))
}

func encryptedProfile(s *wechatsim.Sim, r *http.Request) (any, error) {
	return snake(encryptKind(s, r, "profile"))
}

// snake renames the members of the result.
func snake(e wechatsim.Encrypted, err error) (any, error) {
	return orNil(snakeEncrypted(e), err)
}
