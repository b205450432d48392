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

{{- define "scanflow.selector" -}}
app.kubernetes.io/name: {{ include "scanflow.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "scanflow.labels" -}}
{{ include "scanflow.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "scanflow.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "scanflow.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "scanflow.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
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

{{- define "scanflow.locked" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- /* How the process is spoken to, and what its port is called. */ -}}
{{- define "scanflow.scheme" -}}
{{- if .Values.tls.secretName -}}https{{- else -}}http{{- end -}}
{{- end -}}
