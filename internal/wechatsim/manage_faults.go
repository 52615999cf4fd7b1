package wechatsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// wireFault is a Fault in JSON: the delay as "1.5s", and errcode as a number
// or as a string, which is also how the answer will have it.
type wireFault struct {
	Path        string          `json:"path,omitempty"`
	Kind        FaultKind       `json:"kind"`
	Times       int             `json:"times,omitempty"`
	Delay       string          `json:"delay,omitempty"`
	Probability float64         `json:"probability,omitempty"`
	After       bool            `json:"after,omitempty"`
	ErrCode     json.RawMessage `json:"errcode,omitempty"`
	AsString    bool            `json:"as_string,omitempty"`
	Location    string          `json:"location,omitempty"`
}

// fault is f as Arm takes it.
func (f wireFault) fault() (Fault, error) {
	out := Fault{
		Path: f.Path, Kind: f.Kind, Times: f.Times, Probability: f.Probability,
		After: f.After, AsString: f.AsString, Location: f.Location,
	}
	var err error
	if f.Delay != "" {
		if out.Delay, err = time.ParseDuration(f.Delay); err != nil {
			return out, fmt.Errorf("%w: %w", ErrBadFault, err)
		}
	}
	if len(f.ErrCode) == 0 {
		return out, nil
	}
	digits := string(f.ErrCode)
	if json.Unmarshal(f.ErrCode, &digits) == nil {
		out.AsString = true
	}
	if out.ErrCode, err = strconv.Atoi(digits); err != nil {
		return out, fmt.Errorf("%w: errcode %s is not a number", ErrBadFault, f.ErrCode)
	}
	return out, nil
}

// wire is f in JSON.
func (f Fault) wire() wireFault {
	out := wireFault{
		Path: f.Path, Kind: f.Kind, Times: f.Times, Probability: f.Probability,
		After: f.After, AsString: f.AsString, Location: f.Location,
	}
	if f.Delay > 0 {
		out.Delay = f.Delay.String()
	}
	if f.ErrCode != 0 {
		out.ErrCode = json.RawMessage(strconv.Itoa(f.ErrCode))
	}
	return out
}

func manageArm(s *Sim, r *http.Request) (any, error) {
	var in wireFault
	if err := input(r, &in); err != nil {
		return nil, err
	}
	f, err := in.fault()
	if err != nil {
		return nil, err
	}
	if err := s.Arm(f); err != nil {
		return nil, err
	}
	return manageFaults(s, r)
}

func manageFaults(s *Sim, _ *http.Request) (any, error) {
	list := []wireFault{}
	for _, f := range s.Faults() {
		list = append(list, f.wire())
	}
	return list, nil
}

func manageClearFaults(s *Sim, _ *http.Request) (any, error) {
	s.ClearFaults()
	return nil, nil
}
