package tracker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The lifecycle stages of an experiment or a run.
const (
	active  = "active"
	deleted = "deleted"
)

// viewType selects the active, the deleted or all results of a search.
type viewType string

// UnmarshalJSON reads a name, or MLflow's number for it.
func (v *viewType) UnmarshalJSON(raw []byte) error {
	name, err := enum(raw, []string{"", "ACTIVE_ONLY", "DELETED_ONLY", "ALL"})
	*v = viewType(name)
	return err
}

// stages returns the lifecycle stages that a view shows, as a JSON list.
func (v viewType) stages() string {
	switch v {
	case "DELETED_ONLY":
		return `["deleted"]`
	case "ALL":
		return `["active","deleted"]`
	}
	return `["active"]`
}

// runStatus is the status of a run.
type runStatus string

// UnmarshalJSON reads a name, or MLflow's number for it.
func (s *runStatus) UnmarshalJSON(raw []byte) error {
	name, err := enum(raw, []string{"", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"})
	*s = runStatus(name)
	return err
}

// enum returns the name of a value given by name or by its index, as protobuf's JSON accepts
// both.
func enum(raw []byte, names []string) (string, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil && name != "" && slices.Contains(names, name) {
		return name, nil
	}
	if n, err := strconv.Atoi(strings.Trim(string(raw), `"`)); err == nil && n > 0 && n < len(names) {
		return names[n], nil
	}
	return "", fmt.Errorf("none of %v", names[1:])
}
