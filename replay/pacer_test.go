package replay

import (
	"testing"
	"time"
)

func TestPacerKeepsTheTimeBetweenEvents(t *testing.T) {
	p := pacer{factor: 10}
	received := noon.Add(-time.Hour)
	if due := p.due(received, noon); !due.Equal(noon) {
		t.Errorf("first event due at %s", due)
	}
	if due := p.due(received.Add(time.Minute), noon.Add(time.Second)); !due.Equal(noon.Add(6 * time.Second)) {
		t.Errorf("an event a minute later due at %s", due)
	}
	if due := (&pacer{}).due(received, noon); !due.Equal(noon) {
		t.Errorf("without a pace due at %s", due)
	}
}
