{{- define "py-executor.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "py-executor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "py-executor.labels" -}}
{{ include "py-executor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "py-executor.image" -}}
{{- $repository := required "image.repository is needed: where is the image?" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{- $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* MiB that all scripts at their limits take, and the service itself. One script more than `concurrency` can run. */}}
{{- define "py-executor.memory" -}}
{{- add (mul (add1 .Values.concurrency) (add .Values.script.memoryMb .Values.script.scratchMb)) 640 -}}
{{- end -}}

{{/* Labels of the namespaces that may call. An empty selector would let in all. */}}
{{- define "py-executor.clients" -}}
{{- .Values.networkPolicy.clientNamespaceLabels | default (dict "py-executor-client" "true") | toYaml -}}
{{- end -}}
