package orchestrator

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPlanRollout(t *testing.T) {
	fresh := func(name string, serial int, ready bool) member {
		return member{name: name, current: true, scheduled: true, ready: ready, serial: serial}
	}
	old := func(name string, serial int, ready bool) member {
		return member{name: name, scheduled: true, ready: ready, serial: serial}
	}
	one := rolloutLimits{maxSurge: 1}
	for name, c := range map[string]struct {
		desired int
		limits  rolloutLimits
		members []member
		create  int
		end     []string
	}{
		"from nothing":                {3, one, nil, 3, nil},
		"as wanted":                   {2, one, []member{fresh("a", 1, true), fresh("b", 2, false)}, 0, nil},
		"newest first":                {1, one, []member{fresh("a", 1, true), fresh("b", 2, true), fresh("c", 3, true)}, 0, []string{"c", "b"}},
		"not ready first":             {1, one, []member{fresh("a", 1, false), fresh("b", 2, true)}, 0, []string{"a"}},
		"without a node before those": {1, one, []member{fresh("a", 2, false), {name: "b", current: true, serial: 1}}, 0, []string{"b"}},
		"to zero":                     {0, one, []member{fresh("a", 1, true), old("b", 2, true)}, 0, []string{"a", "b"}},
		"roll: a new one first":       {2, one, []member{old("a", 1, true), old("b", 2, true)}, 1, nil},
		"roll: wait for it":           {2, one, []member{old("a", 1, true), old("b", 2, true), fresh("c", 3, false)}, 0, nil},
		"roll: then an old one goes":  {2, one, []member{old("a", 1, true), old("b", 2, true), fresh("c", 3, true)}, 0, []string{"b"}},
		"roll: the next":              {2, one, []member{old("a", 1, true), fresh("c", 3, true)}, 1, nil},
		"roll: sick old ones go":      {2, one, []member{old("a", 1, false), old("b", 2, true), fresh("c", 3, true)}, 0, []string{"a"}},
		"roll: may miss one":          {2, rolloutLimits{maxUnavailable: 1}, []member{old("a", 1, true), old("b", 2, true)}, 0, []string{"b"}},
		"roll and grow":               {4, one, []member{old("a", 1, true), old("b", 2, true)}, 3, nil},
		"roll and shrink":             {1, one, []member{old("a", 1, true), old("b", 2, true), old("c", 3, true)}, 0, []string{"c", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			create, end := planRollout(c.desired, c.limits, c.members)
			require.Equal(t, c.create, create)
			require.Equal(t, c.end, end)
		})
	}
}

// Whichever pods become ready or unready meanwhile, a rollout ends, never creates more pods
// than maxSurge allows, and never ends a ready pod below what maxUnavailable allows.
func TestPlanRollsSafely(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		desired := rapid.IntRange(0, 6).Draw(t, "desired")
		s := rolloutLimits{rapid.IntRange(0, 3).Draw(t, "above"), rapid.IntRange(0, 3).Draw(t, "missing")}
		if s == (rolloutLimits{}) {
			s.maxSurge = 1
		}
		pods := map[string]member{}
		serial := 0
		add := func(current, ready bool) {
			serial++
			name := fmt.Sprint(serial)
			pods[name] = member{name: name, current: current, scheduled: true, ready: ready, serial: serial}
		}
		for range desired {
			add(false, rapid.Bool().Draw(t, "old ready"))
		}
		step := func() bool {
			var list []member
			ready := 0
			for i := range serial {
				if m, ok := pods[fmt.Sprint(i+1)]; ok {
					list = append(list, m)
					if m.ready {
						ready++
					}
				}
			}
			create, end := planRollout(desired, s, list)
			for _, name := range end {
				if pods[name].ready {
					ready--
					require.GreaterOrEqual(t, ready, desired-s.maxUnavailable, "too few ready")
				}
				delete(pods, name)
			}
			for range create {
				add(true, false)
			}
			require.LessOrEqual(t, len(pods), desired+s.maxSurge, "too many")
			return create > 0 || len(end) > 0
		}
		for range 20 {
			step()
			for name, m := range pods {
				if m.current {
					m.ready = rapid.Bool().Draw(t, "ready")
					pods[name] = m
				}
			}
		}
		for range 50 { // once all stay well it must come to an end
			for name, m := range pods {
				m.ready = true
				pods[name] = m
			}
			if !step() {
				break
			}
		}
		require.Len(t, pods, desired)
		for _, m := range pods {
			require.True(t, m.current)
		}
	})
}
