package mlflowtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// An act that was interrupted at any point, by the tracker or by this process, has the same result
// when it is repeated under the same change.
func TestAnActThatWasCutOffIsHealedByDoingItAgain(t *testing.T) {
	for name, row := range map[string]struct {
		fault  func(http.ResponseWriter, *http.Request, http.Handler) bool // of this verb's tracker
		verb   string
		with   string
		writes int
	}{
		"promotion":                {nil, "model.promote", `{"model": "digits", "version": "3"}`, 4},
		"promotion between stages": {noAliases, "model.promote", `{"model": "digits", "version": "3"}`, 3},
		"rollback":                 {nil, "model.rollback", `{"model": "digits", "reason": "bad"}`, 5},
		"rollback between stages":  {noAliases, "model.rollback", `{"model": "digits", "reason": "bad"}`, 4},
		"a tag":                    {nil, "run.tag", `{"run_id": "", "key": "k", "value": "v"}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it waits for the disk
			// cut interrupts the act at a write, which was carried out or not, repeats the act,
			// and returns the tracker's content. 0 interrupts nothing.
			cut := func(at int, carriedOut bool) (registry, int) {
				v := newVerbs(t)
				v.setFault(row.fault)
				v.versions("digits", 3)
				v.do("model.promote", `{"model": "digits", "version": "3"}`) // so that it has been archived
				v.do("model.promote", `{"model": "digits", "version": "1"}`)
				v.do("model.promote", `{"model": "digits", "version": "2"}`)
				with := row.with
				if row.verb == "run.tag" {
					with = fmt.Sprintf(`{"run_id": %q, "key": "k", "value": "v"}`, v.run("digits", "x", nil, nil, nil).ID)
				}
				c := v.plan(row.verb, with)
				v.published = nil
				writes := 0
				v.setFault(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
					if row.fault != nil && row.fault(w, r, next) {
						return true
					}
					if !isWrite(r) {
						return false
					}
					writes++
					if at == 0 || writes < at {
						return false
					}
					if writes == at && carriedOut {
						next.ServeHTTP(httptest.NewRecorder(), r)
					}
					panic(http.ErrAbortHandler)
				})
				_, err := v.offered[row.verb].Actuator.Apply(v.ctx(), c)
				if at > 0 {
					require.Error(t, err)
					require.True(t, engine.IsRetryable(err), "%v", err)
					require.Empty(t, v.published, "no event before the promotion is done")
					v.setFault(row.fault)
					v.apply(c)
				} else {
					require.NoError(t, err)
				}
				if row.verb != "run.tag" {
					require.Len(t, v.published, 1)
				}
				return v.registry("digits"), writes
			}
			want, writes := cut(0, false)
			require.Equal(t, row.writes, writes)
			for at := 1; at <= writes; at++ {
				for _, carriedOut := range []bool{false, true} {
					got, _ := cut(at, carriedOut)
					require.Empty(t, cmp.Diff(want, got), "write %d, carried out: %t", at, carriedOut)
				}
			}
		})
	}
}

// During a promotion there is a version in production at every moment.
func TestProductionIsNeverWithoutAVersion(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 3)
	v.do("model.promote", `{"model": "digits", "version": "1"}`)
	var seen []string
	v.setFault(func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if isWrite(r) {
			next.ServeHTTP(w, r)
			v.setFault(nil)
			seen = append(seen, v.registry("digits").Aliases["production"])
			return true
		}
		return false
	})
	c := v.plan("model.promote", `{"model": "digits", "version": "2"}`)
	v.apply(c)
	require.Equal(t, []string{"1"}, seen, "after the first write")
}
