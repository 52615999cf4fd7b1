package simserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
)

// wireFault is a [fault.Fault] in JSON: the delay as "1.5s", and errcode as a number
// or as a string, and the response has the same type.
type wireFault struct {
	Path        string          `json:"path,omitempty"`
	Kind        fault.Kind      `json:"kind"`
	Times       int             `json:"times,omitempty"`
	Delay       string          `json:"delay,omitempty"`
	Probability float64         `json:"probability,omitempty"`
	After       bool            `json:"after,omitempty"`
	ErrCode     json.RawMessage `json:"errcode,omitempty"`
	AsString    bool            `json:"as_string,omitempty"`
	Location    string          `json:"location,omitempty"`
}

// fault converts f to the argument of Arm.
func (f wireFault) fault() (fault.Fault, error) {
	out := fault.Fault{
		Path: f.Path, Kind: f.Kind, Times: f.Times, Probability: f.Probability,
		After: f.After, AsString: f.AsString, Location: f.Location,
	}
	var err error
	if f.Delay != "" {
		if out.Delay, err = time.ParseDuration(f.Delay); err != nil {
			return out, fmt.Errorf("%w: %w", fault.ErrBad, err)
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
		return out, fmt.Errorf("%w: errcode %s is not a number", fault.ErrBad, f.ErrCode)
	}
	return out, nil
}

// toWire converts f to JSON.
func toWire(f fault.Fault) wireFault {
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

func arm(s *wechatsim.Sim, r *http.Request) (any, error) {
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
	return faults(s, r)
}

func faults(s *wechatsim.Sim, _ *http.Request) (any, error) {
	list := []wireFault{}
	for _, f := range s.Faults() {
		list = append(list, toWire(f))
	}
	return list, nil
}

func clearFaults(s *wechatsim.Sim, _ *http.Request) (any, error) {
	s.ClearFaults()
	return nil, nil
}
