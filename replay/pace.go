package replay

import "time"

// pacer keeps the time between events as it was when they arrived, divided by factor; with 0 it does nothing. The clock
// starts with the first event, and after a pause or a restart with the one that is next.
type pacer struct {
	factor float64
	began  time.Time
	first  time.Time // when the first event was received
}

// due is when an event that was received at the given time is to be sent.
func (p *pacer) due(received, now time.Time) time.Time {
	if p.factor == 0 {
		return now
	}
	if p.began.IsZero() {
		p.began, p.first = now, received
	}
	return p.began.Add(time.Duration(float64(received.Sub(p.first)) / p.factor))
}
