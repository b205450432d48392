package alertmanager_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/alertmanager"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func TestWhatWouldBecomeTooLargeIsRefused(t *testing.T) {
	one := `{"status":"firing","startsAt":"2026-03-01T02:00:00Z","fingerprint":"f"%s}`
	group := func(n int, ofGroup, ofEach string) string {
		each := fmt.Sprintf(one, ofEach)
		return `{"version":"4","receiver":"r"` + ofGroup + `,"alerts":[` + strings.Repeat(each+",", n-1) + each + "]}"
	}
	var labels strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&labels, `"l%d":"",`, i)
	}
	large := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct{ body, want string }{
		"a large group of few":   {group(10, `,"groupKey":"`+large+`"`, ""), ""},
		"a large group of many":  {group(20, `,"groupKey":"`+large+`"`, ""), "too large: each of 20 alerts repeats the 1048580 bytes of its group"},
		"many labels":            {group(1, "", `,"labels":{`+labels.String()+`"last":""}`), "too large: alerts[0] has 100013 values with those of its group; at most 100000 are read"},
		"many values":            {group(1, "", `,"more":[`+strings.Repeat("[],", 250_000)+"0]"), "too large: the body has more than 250000 JSON values"},
		"many labels of a group": {group(1, `,"groupLabels":{`+labels.String()+`"last":""}`, ""), "too large: alerts[0] has 100013 values"},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := alertmanager.Read([]byte(c.body), 5000)
			if c.want == "" {
				require.NoError(t, err)
				require.NotEmpty(t, events)
				return
			}
			require.ErrorIs(t, err, alertmanager.ErrTooLarge)
			require.ErrorContains(t, err, c.want)
			require.Nil(t, events)
		})
	}
}

func TestLittleOfWhatWasSentComesBack(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	for name, body := range map[string]string{
		"a time":     strings.Replace(payload, "2026-03-01T01:00:00Z", long, 1),
		"a status":   strings.ReplaceAll(payload, "firing", long),
		"a number":   strings.Replace(payload, `"truncatedAlerts":0`, `"truncatedAlerts":`+long, 1),
		"a member":   strings.Replace(payload, `"truncatedAlerts":0`, `"`+long+`":0,"`+long+`":0`, 1),
		"many wrong": `{"version":"4","receiver":"r","alerts":[` + strings.Repeat("{},", 4999) + "{}]}",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alertmanager.Read([]byte(body), 5000)
			var mistakes mistake.Mistakes
			require.ErrorAs(t, err, &mistakes)
			require.LessOrEqual(t, len(mistakes), 51)
			require.Less(t, len(err.Error()), 5000)
		})
	}
}
