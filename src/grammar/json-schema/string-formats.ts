const date =
  "[12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)";
const time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
const label = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?";
const byteNumber = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

/** JSON Schema's formats as regular expressions. They match only strings that every validator accepts. */
export const stringFormats: Readonly<Record<string, string>> = {
  date: `^${date}$`,
  time: `^${time}$`,
  "date-time": `^${date}T${time}$`,
  duration: "^P([0-9]{1,4}W|[0-9]{1,4}D(T[0-9]{1,4}[HMS])?|T[0-9]{1,4}[HMS])$",
  email: `^[a-z0-9]{1,30}([._+-][a-z0-9]{1,30}){0,3}@${label}(\\.${label}){1,3}$`,
  hostname: `^${label}(\\.${label}){0,4}$`,
  ipv4: `^${byteNumber}(\\.${byteNumber}){3}$`,
  ipv6: "^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}$",
  uuid: "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
  // WHATWG takes a host whose last label is a number for an IPv4 address.
  uri: `^https?://${label}(\\.${label}){0,3}\\.[a-z]{2,10}(/[a-zA-Z0-9_.~-]{1,60}){0,8}/?$`,
};
