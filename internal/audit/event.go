package audit

// The events that handlers of Caddy's app "events" can subscribe to: a closed set.
const (
	EventLogin        = "wxgate.login"
	EventLoginFailed  = "wxgate.login_failed"
	EventSessionEnded = "wxgate.session_ended"
	EventPhoneDecoded = "wxgate.phone_decoded"
	EventKeyRotated   = "wxgate.key_rotated"
	EventKeyRetired   = "wxgate.key_retired"

	EventBudgetExhausted = "wxgate.phone_budget_exhausted"
)

// EventNames returns all of them.
func EventNames() []string {
	return []string{EventLogin, EventLoginFailed, EventSessionEnded, EventPhoneDecoded, EventKeyRotated, EventKeyRetired, EventBudgetExhausted}
}

// reused is the outcome of a refresh that ended its session.
const reused = "refresh_reused"

// Name returns the name of the event in Caddy's app "events", or "" if it is not emitted there.
func (e Event) Name() string {
	done := e.Outcome == OK
	switch {
	case e.Action == Login && done:
		return EventLogin
	case e.Action == Login:
		return EventLoginFailed
	case (e.Action == Logout || e.Action == Revocation) && done, e.Action == RefreshRefused && e.Outcome == reused:
		return EventSessionEnded
	case e.Action == Decode && done:
		return EventPhoneDecoded
	case e.Action == KeyRotated && done:
		return EventKeyRotated
	case e.Action == KeyRetired && done:
		return EventKeyRetired
	case e.Action == BudgetExhausted && done:
		return EventBudgetExhausted
	}
	return ""
}

// Data returns the event's data: the fields of the audit line that apply, all as text.
func (e Event) Data() map[string]any {
	data := map[string]any{"action": string(e.Action), "outcome": e.Outcome}
	for _, f := range e.fields() {
		if f.value != "" {
			data[f.name] = f.value
		}
	}
	if e.All {
		data["all"] = "true"
	}
	return data
}
