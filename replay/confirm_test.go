package replay

import "testing"

// TestRetryIsConfirmed: more deliveries than are sent without a question are a reason to ask.
func TestRetryIsConfirmed(t *testing.T) {
	if few := (Retried{Sent: MaxUnconfirmed - 1, Asked: 1}).Confirm(); few != nil {
		t.Errorf("a retry of %d asks: %+v", MaxUnconfirmed, few)
	}
	many := (Retried{Sent: MaxUnconfirmed, Asked: 1}).Confirm()
	if len(many) != 1 || many[0].Code != "many" || many[0].Text != "it sends 1001 deliveries" {
		t.Errorf("a retry of %d asks: %+v", MaxUnconfirmed+1, many)
	}
}
