package tracker

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MLflow's limits, in characters and entries.
const (
	maxKey             = 250
	maxParamValue      = 6000
	maxRunTagValue     = 8000
	maxExperimentValue = 5000
	maxRegistryValue   = 100_000
	maxExperimentName  = 500
	maxAlias           = 255

	maxBatchBody     = 1_000_000 // bytes
	maxBatchMetrics  = 1000
	maxBatchParams   = 100
	maxBatchTags     = 100
	maxBatchEntities = 1000
)

var (
	keyCharacters = regexp.MustCompile(`^[/\p{L}\p{N}_.\- :]*$`)
	runID         = regexp.MustCompile(`^[a-zA-Z0-9][\p{L}\p{N}_\-]{0,255}$`)
	aliasName     = regexp.MustCompile(`^[\p{L}\p{N}_\-]*$`)
	aliasVersion  = regexp.MustCompile(`^[vV]\d+$`)
)

// checkKey rejects the names of metrics, parameters and tags that MLflow rejects, some of whose
// stores use them as file names.
func checkKey(what, key string) error {
	switch clean := path.Clean(key); {
	case key == "":
		return invalid("Missing value for required parameter 'key'.")
	case !keyCharacters.MatchString(key):
		return invalid("Invalid %s name: '%s'. Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).", what, shorten(key))
	case clean != key || clean == "." || strings.HasPrefix(clean, "..") || strings.HasPrefix(clean, "/"):
		return invalid("Invalid %s name: '%s'. Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '%s'", what, shorten(key), shorten(clean))
	}
	return checkLength(what+" key", key, maxKey)
}

func checkLength(what, value string, most int) error {
	if n := utf8.RuneCountInString(value); n > most {
		return invalid("%s '%s' had length %d, which exceeded length limit of %d", what, shorten(value), n, most)
	}
	return nil
}

// cut truncates the value of a parameter or a run tag to its limit, as MLflow does.
func cut(value string, most int) string {
	if utf8.RuneCountInString(value) <= most {
		return value
	}
	return string([]rune(value)[:most])
}

func checkExperimentName(name string) error {
	if utf8.RuneCountInString(name) > maxExperimentName {
		return invalid("'name' exceeds the maximum length of %d characters", maxExperimentName)
	}
	return nil
}

func checkAlias(alias string) error {
	if !aliasName.MatchString(alias) {
		return invalid("Invalid alias name: '%s'. Names may only contain alphanumerics, underscores (_), and dashes (-).", shorten(alias))
	}
	return checkLength("Registered model alias name", alias, maxAlias)
}

// checkNewAlias also rejects names that already denote versions.
func checkNewAlias(alias string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	if strings.EqualFold(alias, latestAlias) {
		return invalid("'latest' alias name (case insensitive) is reserved.")
	}
	if aliasVersion.MatchString(alias) {
		return invalid("Version alias name '%s' is reserved.", alias)
	}
	return nil
}

func checkModelName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return invalid("Missing value for required parameter 'name'.")
	case strings.ContainsAny(name, "/:"):
		return invalid("Invalid model name '%s'. Names cannot contain '/' or ':'.", shorten(name))
	case name == "." || name == "..":
		return invalid("Invalid model name '%s'. Names may be treated as files in certain cases.", name)
	}
	return checkLength("Registered model name", name, maxKey)
}

func versionNumber(version string) (int64, error) {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return 0, invalid("Parameter 'version' must be an integer, got '%s'.", shorten(version))
	}
	return n, nil
}
