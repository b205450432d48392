{{- define "scanflow.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{- define "scanflow.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "scanflow.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 30 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The name of cluster-scoped objects: releases of other namespaces may have the same name. */ -}}
{{- define "scanflow.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "scanflow.fullname" .) -}}
{{- end -}}

{{- define "scanflow.install" -}}
{{- default (include "scanflow.fullname" .) .Values.install -}}
{{- end -}}

{{- /* The value of --namespace: null in the values is the release's own, "" is every namespace. */ -}}
{{- define "scanflow.watchNamespace" -}}
{{- if kindIs "string" .Values.watchNamespace -}}
{{- .Values.watchNamespace -}}
{{- else -}}
{{- .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- define "scanflow.selector" -}}
app.kubernetes.io/name: {{ include "scanflow.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "scanflow.labels" -}}
{{- include "scanflow.labelsWith" (dict "root" . "extra" dict) -}}
{{- end -}}

{{- /* The labels of an object: the chart's, commonLabels, and those under "extra". */ -}}
{{- define "scanflow.labelsWith" -}}
{{- $own := include "scanflow.selector" .root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite dict .root.Values.commonLabels (default dict .extra) $own | toYaml -}}
{{- end -}}

{{- /* The annotations of an object, with their key: commonAnnotations and those under "extra". */ -}}
{{- define "scanflow.annotations" -}}
{{- with mergeOverwrite dict .root.Values.commonAnnotations (default dict .extra) -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "scanflow.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "scanflow.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* With a digest, the tag is for people: the container runtime pulls the digest. */ -}}
{{- define "scanflow.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- $image.repository }}{{ with $image.tag }}:{{ . }}{{ end }}@{{ $image.digest -}}
{{- else -}}
{{- $image.repository }}:{{ default .Chart.AppVersion $image.tag -}}
{{- end -}}
{{- end -}}

{{- define "scanflow.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "scanflow.serviceAccount" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /* The name of the ConfigMap of policies, empty where there is none. */ -}}
{{- define "scanflow.policies" -}}
{{- if .Values.policies.configMap -}}
{{- .Values.policies.configMap -}}
{{- else if .Values.policies.files -}}
{{- include "scanflow.fullname" . }}-policies
{{- end -}}
{{- end -}}

{{- /* The URL scheme of the process, which is also the name of its port. */ -}}
{{- define "scanflow.scheme" -}}
{{- if .Values.tls.secretName -}}https{{- else -}}http{{- end -}}
{{- end -}}

{{- /* A quantity (512Mi, 1G, 1000) in bytes. */ -}}
{{- define "scanflow.bytes" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $text := toString . -}}
{{- if kindIs "float64" . -}}{{- $text = int64 . | toString -}}{{- end -}}
{{- mulf (regexFind "^[0-9]+([.][0-9]+)?" $text | float64) (get $units (regexFind "[a-zA-Z]*$" $text)) | int64 -}}
{{- end -}}

{{- /*
The limit of Go's heap in bytes, empty without a limit of memory. It is 60% of the container's
limit: the child process that judges policies counts against the same limit.
*/ -}}
{{- define "scanflow.goMemoryLimit" -}}
{{- with (default dict .Values.resources.limits).memory -}}
{{- mulf (include "scanflow.bytes" . | float64) 0.6 | int64 -}}
{{- end -}}
{{- end -}}
