package dashboards

import (
	"strconv"
	"testing"
)

// TestTracePanel verifies that links to a trace open the panel that draws it.
func TestTracePanel(t *testing.T) {
	d, err := pipeline().Build()
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(tracePanel)
	if err != nil {
		t.Fatal(err)
	}
	if p := d.Panels[number-1].Panel; p == nil || p.Type != "traces" {
		t.Errorf("panel %d of the dashboard does not draw traces", number)
	}
}
