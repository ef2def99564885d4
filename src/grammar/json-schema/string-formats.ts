const date =
  "[12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)";
const time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
/** At most 62 letters. Some validators refuse "--" in the third and fourth position. */
const label = "[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}";
/** URL takes a host whose last label is a number for an IPv4 address; zod wants letters only. */
const topLabel = "[a-z]{2,20}";
const byteNumber = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const base64url = "[A-Za-z0-9_-]";

/** A local part has at most 64 characters. */
const email = `^[a-z0-9]{1,15}([._+-][a-z0-9]{1,15}){0,3}@(${label}\\.){1,3}${topLabel}$`;
const hostname = `^(${label}\\.){0,2}${topLabel}$`;
const uri = `^https?://(${label}\\.){1,3}${topLabel}(/[a-zA-Z0-9_.~-]{1,60}){0,8}/?$`;

/** JSON Schema's formats as regular expressions. They match only strings that every validator accepts. */
export const stringFormats: Readonly<Record<string, string>> = {
  date: `^${date}$`,
  time: `^${time}$`,
  "date-time": `^${date}T${time}$`,
  duration: "^P([0-9]{1,4}W|[0-9]{1,4}D(T[0-9]{1,4}[HMS])?|T[0-9]{1,4}[HMS])$",
  email,
  "idn-email": email,
  hostname,
  "idn-hostname": hostname,
  ipv4: `^${byteNumber}(\\.${byteNumber}){3}$`,
  ipv6: "^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}$",
  uuid: "^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
  uri,
  iri: uri,
  "uri-reference": uri,
  "iri-reference": uri,
  // A template without variables.
  "uri-template": uri,
  // OpenAPI: base64.
  byte: "^([A-Za-z0-9+/]{4})+$",
  "json-pointer": "^(/[a-zA-Z0-9_-]{1,60}){0,8}$",
  regex: "^[a-zA-Z0-9 ]{0,100}$",
  // zod checks the header: {"alg":"HS256","typ":"JWT"}.
  jwt: `^eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\\.${base64url}{2,200}\\.${base64url}{43}$`,
};
