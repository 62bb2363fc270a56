//! The result of a check: what a worker finds out about a script without running it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What can be told of a script without running it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// Whether it compiles, has a `main` that can be called, and finds every module.
    pub ok: bool,
    /// Its `main`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub main: Option<Main>,
    /// The modules that it imports, wherever in the script, in the order of their lines.
    pub imports: Vec<Import>,
    /// Why it does not compile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<SyntaxFault>,
    /// What else keeps it from running, in words for its author.
    pub problems: Vec<String>,
}

/// The `main` of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Main {
    /// Line of its definition.
    pub line: u32,
    /// Whether it is defined by `async def`.
    pub is_async: bool,
    /// Its parameters, if it is defined by `def` or `async def`.
    pub parameters: Vec<Parameter>,
}

/// A parameter of `main`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterKind,
    /// Whether the request must have it in `inputs`.
    pub required: bool,
    /// Its annotation, as it stands in the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub annotation: Option<String>,
    /// Its default, as it stands in the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub default: Option<String>,
}

/// How an argument reaches a parameter (Python's inspect.Parameter.kind). Inputs are keyword arguments, so a positional-only
/// one without a default cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    PositionalOnly,
    PositionalOrKeyword,
    VarPositional,
    KeywordOnly,
    VarKeyword,
}

/// A module that a script imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    pub module: String,
    pub line: u32,
    /// Whether it is here.
    pub available: bool,
    /// Whether the script does without it, if need be: it tries, or imports it for type checkers only.
    pub optional: bool,
    /// Modules that are here and have a similar name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<String>,
}

/// Why a script does not compile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyntaxFault {
    /// `SyntaxError` or one of its subclasses.
    #[serde(rename = "type")]
    pub class: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line: Option<u32>,
    /// Counted from 1, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub column: Option<u32>,
    /// The line itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text: Option<String>,
}
