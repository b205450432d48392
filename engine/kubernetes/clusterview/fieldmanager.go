package clusterview

import (
	"fmt"
	"strings"
	"time"
)

// FieldManager is a manager that owns a field, from the object's managedFields.
type FieldManager struct {
	Manager     string
	Operation   string // Apply or Update
	Subresource string
	Time        time.Time // zero where the API server records none: for the scale subresource
}

// String is "kubectl (Update, scale, 2026-03-01T12:00:00Z)".
func (m FieldManager) String() string {
	how := []string{m.Operation}
	if m.Subresource != "" {
		how = append(how, m.Subresource)
	}
	if !m.Time.IsZero() {
		how = append(how, m.Time.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("%s (%s)", m.Manager, strings.Join(how, ", "))
}
