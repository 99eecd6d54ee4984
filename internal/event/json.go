package event

import (
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// jsonHeader is a Header as JSON has it.
type jsonHeader struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	ValueBase64 []byte `json:"value_base64,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (h Header) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(h.Value) {
		return json.Marshal(jsonHeader{Name: h.Name, Value: h.Value})
	}
	return json.Marshal(jsonHeader{Name: h.Name, ValueBase64: []byte(h.Value)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Header) UnmarshalJSON(text []byte) error {
	var j jsonHeader
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*h = Header{Name: j.Name, Value: j.Value}
	if len(j.ValueBase64) > 0 {
		h.Value = string(j.ValueBase64)
	}
	return nil
}

type plainSelection Selection

// jsonSelection is a Selection as JSON has it.
type jsonSelection struct {
	plainSelection
	To *time.Time `json:"to,omitempty"` // the old name of until
}

// MarshalJSON implements json.Marshaler. It writes "until" under its old name "to" as well, for programs, older hooktapes among
// them, that know no other.
func (s Selection) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonSelection{plainSelection(s), s.Until})
}

// UnmarshalJSON implements json.Unmarshaler. It takes "to" for "until"; two that differ are an error.
func (s *Selection) UnmarshalJSON(text []byte) error {
	var j jsonSelection
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	if j.Until != nil && j.To != nil && !j.Until.Equal(*j.To) {
		return errors.New("until and to, its old name, differ: give until alone")
	}
	*s = Selection(j.plainSelection)
	if s.Until == nil {
		s.Until = j.To
	}
	return nil
}
