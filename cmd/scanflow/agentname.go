package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// checkAgent refuses an --agent that is neither a name nor namespace/name, which would
// silently select nothing. "" selects all agents.
func checkAgent(name string) error {
	namespace, rest, both := strings.Cut(name, "/")
	if name != "" && (namespace == "" || both && rest == "" || strings.Contains(rest, "/")) {
		return fmt.Errorf("--agent: %q is no agent's name; write name or namespace/name", name)
	}
	return nil
}

// fullAgent returns namespace/name of an agent that is given by its name alone. known lists
// the agents; it is not asked for a name in full.
func fullAgent(ctx context.Context, name string, known func(context.Context) ([]string, error)) (string, error) {
	if name == "" || strings.Contains(name, "/") {
		return name, nil
	}
	all, err := known(ctx)
	if err != nil {
		return "", err
	}
	return matchAgent(name, all)
}

// matchAgent returns the one of the agents that has a name.
func matchAgent(name string, all []string) (string, error) {
	var found []string
	for _, full := range all {
		if _, its, _ := strings.Cut(full, "/"); its == name && !slices.Contains(found, full) {
			found = append(found, full)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("--agent: there are several agents %s: write one of %s", name, strings.Join(found, ", "))
	case len(all) == 0:
		return "", fmt.Errorf("--agent: there is no agent %s, nor any other", name)
	}
	return "", fmt.Errorf("--agent: there is no agent %s; there are %s", name, namesText(all))
}

// namesText lists names, and no more than a few.
func namesText(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
