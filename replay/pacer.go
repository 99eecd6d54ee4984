package replay

import "time"

// pacer keeps the time between events as it was when they were received, divided by factor. With factor 0 it does
// nothing. It starts with the first event, after a pause or a restart with the next one.
type pacer struct {
	factor float64
	began  time.Time
	first  time.Time // when the first event was received
}

// due returns when to send an event.
func (p *pacer) due(received, now time.Time) time.Time {
	if p.factor == 0 {
		return now
	}
	if p.began.IsZero() {
		p.began, p.first = now, received
	}
	return p.began.Add(time.Duration(float64(received.Sub(p.first)) / p.factor))
}
