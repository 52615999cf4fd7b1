package wechatsim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// wireEncrypt is the input of the three calls that encrypt. The GET ones take
// what a query can hold and have their kind in the path.
type wireEncrypt struct {
	wireUser
	wirePhone
	wireSealing
	Kind    string          `json:"kind"`
	Profile Profile         `json:"profile"`
	JSON    json.RawMessage `json:"json"`
	Exact   bool            `json:"exact"`
}

// snakeEncrypted is an Encrypted as a mini program posts it to a gateway: what
// a shell puts straight into curl's --data.
type snakeEncrypted struct {
	EncryptedData string `json:"encrypted_data"`
	IV            string `json:"iv"`
	RawData       string `json:"raw_data,omitempty"`
	Signature     string `json:"signature,omitempty"`
}

// encryptKind reads the input and encrypts; a kind given wins over the input's.
func encryptKind(s *Sim, r *http.Request, kind string) (Encrypted, error) {
	var in wireEncrypt
	if err := input(r, &in); err != nil {
		return Encrypted{}, err
	}
	how, err := in.sealing()
	if err != nil {
		return Encrypted{}, err
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
		return Encrypted{}, fmt.Errorf("reading kind: %q is not phone, profile or json", kind)
	}
}

func manageEncrypt(s *Sim, r *http.Request) (any, error) {
	return orNil(encryptKind(s, r, ""))
}

func manageEncryptedPhone(s *Sim, r *http.Request) (any, error) {
	return snake(encryptKind(s, r, "phone"))
}

func manageEncryptedProfile(s *Sim, r *http.Request) (any, error) {
	return snake(encryptKind(s, r, "profile"))
}

// snake renames the members.
func snake(e Encrypted, err error) (any, error) {
	return orNil(snakeEncrypted(e), err)
}
