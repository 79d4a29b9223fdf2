/* schema.c: the JSON Schema of traces, made from ops.def so that it cannot lag behind.
 *
 * It says what has which shape; that a place is a block or an address is said by oneOf, what ops
 * mean together (a dead block, a process that ended) is for the checker.
 */
#include "traces/fields.h"
#include "traces/tools.h"

/* ---- types that fields refer to ---- */

static const char *type_of(enum op_field_kind kind)
{
    switch (kind) {
    case FIELD_BYTE:
        return "byte";
    case FIELD_PROCESS:
    case FIELD_PID:
    case FIELD_TID:
        return "process";
    case FIELD_ADDR:
    case FIELD_TO_ADDR:
    case FIELD_ADDRESS:
    case FIELD_TARGET:
        return "address";
    case FIELD_MARK_NAME:
        return "mark_name";
    case FIELD_MARK_TEXT:
        return "text";
    case FIELD_MARK_STOP:
    case FIELD_FAIL:
        return "flag";
    case FIELD_RET:
        return "result";
    default:
        return "number";
    }
}

static void put_field(FILE *out, const struct op_field *field)
{
    static const char *const named[] = {"",       "prot", "map",   "mremap", "advice",
                                        "rlimit", "open", "msync", "fadvice"};
    const char *type =
        field->kind == FIELD_NAMED ? named[field->names] : type_of((enum op_field_kind)field->kind);
    fprintf(out, ",\n        \"%s\": {\"$ref\": \"#/$defs/%s\"}", field->name, type);
}

static void put_words(FILE *out, enum names_table table, const char *name, bool set)
{
    fprintf(out, "    \"%s\": {\n      \"anyOf\": [{\"$ref\": \"#/$defs/number\"},\n", name);
    fprintf(out, "        {\"type\": \"string\", \"pattern\": \"^(");
    for (size_t i = 0; names_word(table, i); i++)
        fprintf(out, "%s%s", i ? "|" : "", names_word(table, i));
    if (set) {
        fprintf(out, "|-?[0-9]+|0x[0-9a-fA-F]+)([|](");
        for (size_t i = 0; names_word(table, i); i++)
            fprintf(out, "%s%s", i ? "|" : "", names_word(table, i));
        fprintf(out, "|-?[0-9]+|0x[0-9a-fA-F]+))*");
    } else {
        fprintf(out, ")");
    }
    fprintf(out, "$\"}]\n    },\n");
}

static void put_types(FILE *out)
{
    fputs(
        "    \"number\": {\n"
        "      \"description\": \"a whole number of 64 bits; negative ones as two's complement\",\n"
        "      \"anyOf\": [\n"
        "        {\"type\": \"integer\", \"minimum\": -9223372036854775808, "
        "\"maximum\": 18446744073709551615},\n"
        "        {\"type\": \"string\", \"pattern\": \"^-?(0x[0-9a-fA-F]+|[0-9]+)$\"}]\n"
        "    },\n"
        "    \"byte\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 255},\n"
        "    \"process\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 65535},\n"
        "    \"flag\": {\"type\": \"boolean\"},\n"
        "    \"text\": {\"type\": \"string\", \"maxLength\": 65536},\n"
        "    \"mark_name\": {\"type\": \"string\", \"pattern\": \"^[A-Za-z0-9_.-]{0,31}$\"},\n"
        "    \"address\": {\n"
        "      \"description\": \"a virtual address: a number, h+N above the initial break, "
        "m-N below the lowest area\",\n"
        "      \"anyOf\": [\n"
        "        {\"$ref\": \"#/$defs/number\"},\n"
        "        {\"type\": \"string\", \"pattern\": "
        "\"^[hm][+-](0x[0-9a-fA-F]+|[0-9]+)$\"}]\n"
        "    },\n"
        "    \"result\": {\n"
        "      \"anyOf\": [\n"
        "        {\"$ref\": \"#/$defs/address\"},\n"
        "        {\"type\": \"string\", \"pattern\": \"^-E[A-Z0-9]+$\"}]\n"
        "    },\n",
        out);
    put_words(out, NAMES_prot, "prot", false);
    put_words(out, NAMES_map, "map", true);
    put_words(out, NAMES_mremap, "mremap", true);
    put_words(out, NAMES_advice, "advice", false);
    put_words(out, NAMES_rlimit, "rlimit", false);
    put_words(out, NAMES_open, "open", false);
    put_words(out, NAMES_msync, "msync", true);
    put_words(out, NAMES_fadvice, "fadvice", false);
}

/* ---- ops ---- */

static const char *place_rule(const struct op_shape *shape, enum op_field_kind kind)
{
    for (size_t i = 0; i < FIELDS_MAX && shape->field[i].name; i++)
        if (shape->field[i].kind == kind)
            return kind == FIELD_ID
                       ? "{\"oneOf\": [{\"required\": [\"id\"]}, {\"required\": [\"addr\"], "
                         "\"not\": {\"required\": [\"off\"]}}]}"
                       : "{\"oneOf\": [{\"required\": [\"to\"]}, {\"required\": [\"to_addr\"], "
                         "\"not\": {\"required\": [\"to_off\"]}}]}";
    return NULL;
}

static void put_rules(FILE *out, const struct op_shape *shape)
{
    const char *place = place_rule(shape, FIELD_ID), *target = place_rule(shape, FIELD_TO_ID);
    fputs(",\n      \"not\": {\"anyOf\": [{\"required\": [\"pid\", \"p\"]}, "
          "{\"required\": [\"tid\", \"t\"]}]}",
          out);
    if (place)
        fprintf(out, ",\n      \"allOf\": [%s%s%s]", place, target ? ",\n        " : "",
                target ? target : "");
}

static void put_op(FILE *out, unsigned kind)
{
    const struct op_shape *shape = &op_shape[kind];
    fprintf(out, "    \"op_%s\": {\n      \"description\": \"%s\",\n", shape->name,
            op_info[kind].doc);
    fprintf(out, "      \"type\": \"object\",\n      \"additionalProperties\": false,\n");
    fprintf(out, "      \"required\": [\"op\"");
    for (size_t i = 0; i < FIELDS_MAX && shape->field[i].name; i++)
        if (op_field_required(&shape->field[i]))
            fprintf(out, ", \"%s\"", shape->field[i].name);
    fprintf(out, "],\n      \"properties\": {\n        \"op\": {\"const\": \"%s\"}", shape->name);
    for (size_t i = 0; i < FIELDS_MAX && shape->field[i].name; i++)
        put_field(out, &shape->field[i]);
    for (size_t i = 0; i < COMMON_FIELDS; i++)
        put_field(out, &op_common[i]);
    fputs("\n      }", out);
    put_rules(out, shape);
    fputs("\n    },\n", out);
}

/* The call notation has its own grammar (docs/trace-format.md); here only that it names an op. */
static void put_call(FILE *out)
{
    fputs("    \"call\": {\n      \"description\": \"an op in the call notation: "
          "p3 = malloc(24)\",\n      \"type\": \"string\",\n      \"pattern\": "
          "\"^ *(\\\\[[^\\\\]]*\\\\] *)?((p[0-9]+|NULL) *= *)?(stop",
          out);
    for (unsigned kind = 0; kind < OP_COUNT; kind++)
        fprintf(out, "|%s", op_shape[kind].name);
    fputs(")(?![a-z_])\"\n    },\n", out);
}

/* "op" chooses the shape, so that a validator's message is about the fields of that op. */
static void put_any_op(FILE *out)
{
    fputs("    \"op\": {\n      \"if\": {\"type\": \"string\"},\n"
          "      \"then\": {\"$ref\": \"#/$defs/call\"},\n"
          "      \"else\": {\n        \"type\": \"object\",\n        \"required\": [\"op\"],\n"
          "        \"properties\": {\"op\": {\"enum\": [",
          out);
    for (unsigned kind = 0; kind < OP_COUNT; kind++)
        fprintf(out, "%s\"%s\"", kind ? ", " : "", op_shape[kind].name);
    fputs("]}},\n        \"allOf\": [", out);
    for (unsigned kind = 0; kind < OP_COUNT; kind++)
        fprintf(out,
                "%s\n          {\"if\": {\"properties\": {\"op\": {\"const\": \"%s\"}}}, "
                "\"then\": {\"$ref\": \"#/$defs/op_%s\"}}",
                kind ? "," : "", op_shape[kind].name, op_shape[kind].name);
    fputs("]\n      }\n    },\n", out);
}

/* ---- header and the whole ---- */

static const char header_fields[] =
    "        \"memwalk\": {\"const\": 1},\n"
    "        \"name\": {\"type\": \"string\"},\n"
    "        \"doc\": {\"type\": \"string\"},\n"
    "        \"command\": {\"type\": \"string\"},\n"
    "        \"config\": {\"type\": \"object\", \"additionalProperties\": "
    "{\"type\": [\"string\", \"number\", \"boolean\"]}},\n"
    "        \"expect\": {\"$ref\": \"#/$defs/expect\"}";

void trace_schema(FILE *out)
{
    fputs("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
          "  \"title\": \"memwalk trace\",\n"
          "  \"description\": \"A trace as one JSON document; of JSON Lines each line is a "
          "$defs/line. Made from traces/ops.def by: memwalk trace schema\",\n"
          "  \"$ref\": \"#/$defs/document\",\n  \"$defs\": {\n",
          out);
    fprintf(out,
            "    \"document\": {\n      \"type\": \"object\",\n"
            "      \"required\": [\"memwalk\", \"ops\"],\n"
            "      \"additionalProperties\": false,\n      \"properties\": {\n%s,\n"
            "        \"ops\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/op\"}}\n"
            "      }\n    },\n",
            header_fields);
    fprintf(out,
            "    \"header\": {\n      \"description\": \"the first line of JSON Lines\",\n"
            "      \"type\": \"object\",\n      \"required\": [\"memwalk\"],\n"
            "      \"additionalProperties\": false,\n      \"properties\": {\n%s\n"
            "      }\n    },\n",
            header_fields);
    fputs("    \"end\": {\n      \"description\": \"the last line of JSON Lines\",\n"
          "      \"type\": \"object\",\n      \"required\": [\"expect\"],\n"
          "      \"additionalProperties\": false,\n"
          "      \"properties\": {\"expect\": {\"$ref\": \"#/$defs/expect\"}}\n    },\n"
          "    \"line\": {\n      \"if\": {\"required\": [\"op\"]},\n"
          "      \"then\": {\"$ref\": \"#/$defs/op\"},\n"
          "      \"else\": {\"anyOf\": [{\"$ref\": \"#/$defs/header\"}, "
          "{\"$ref\": \"#/$defs/end\"}, {\"$ref\": \"#/$defs/call\"}]}\n    },\n"
          "    \"expect\": {\n      \"description\": \"figures of the report and their values\",\n"
          "      \"type\": \"object\",\n      \"additionalProperties\": {\"anyOf\": [\n"
          "        {\"type\": \"number\"}, {\"$ref\": \"#/$defs/expect\"},\n"
          "        {\"type\": \"string\", \"pattern\": \"^[<>]?=? *-?[0-9]\"}]}\n    },\n",
          out);
    put_any_op(out);
    put_call(out);
    for (unsigned kind = 0; kind < OP_COUNT; kind++)
        put_op(out, kind);
    put_types(out);
    fputs("    \"any\": true\n  }\n}\n", out);
}
