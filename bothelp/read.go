package bothelp

import "hooktape/event"

// Read fills in what can be read of a received event. kind is what its source's events are when their bodies do not
// tell, "" where that is not known either. Only accepted events are read: of others nothing is believed.
func Read(e *event.Event, kind event.Kind) {
	e.Decoded = event.Decoded{Kind: event.KindUnknown}
	if e.Verdict != event.Accepted {
		return
	}
	e.Decoded = Decode(&e.Received)
	if e.Kind == event.KindUnknown && kind != "" {
		e.Kind = kind
	}
}
