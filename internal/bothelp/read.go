package bothelp

import "hooktape/internal/event"

// Read fills in what can be read of a received event. kind is what its source's events are when their bodies do not
// tell, "" where that is not known either. Only accepted events are decoded: of others nothing is believed. Events
// that are not accepted or have a DecodeError get a BodyText.
func Read(e *event.Event, kind event.Kind) {
	e.Decoded, e.BodyText = event.Decoded{Kind: event.KindUnknown}, ""
	if e.Verdict == event.Accepted {
		e.Decoded = Decode(&e.Received)
		if e.Kind == event.KindUnknown && kind != "" {
			e.Kind = kind
		}
	}
	if e.Verdict != event.Accepted || e.DecodeError != "" {
		e.BodyText = Text(&e.Received)
	}
}
