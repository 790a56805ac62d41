-- All documents as fragments of JSON text in ClickHouse (CONTRACT sections 3 and 4): each row is made text once, by
-- concat, and a parent's fragments are gathered, sorted and joined.
--
-- Before this there are: a view delivered_<table> per delivered table, `rates` (fra_dato, sats in percent), `kravtyper`
-- and a function snapshot_date(). After it there is a view `dokument_<kind>` (part, document) per kind.

-- A text in quotes. toJSONString escapes U+2028 and U+2029 too, so what lies between those is escaped by itself
-- where a text has what both begin with.
CREATE FUNCTION inside AS t -> substring(toJSONString(t), 2, length(toJSONString(t)) - 2);
CREATE FUNCTION between_2028 AS t ->
    arrayStringConcat(arrayMap(piece -> inside(piece), splitByString('\xE2\x80\xA8', t)), '\xE2\x80\xA8');
CREATE FUNCTION between_both AS t ->
    arrayStringConcat(arrayMap(line -> between_2028(line), splitByString('\xE2\x80\xA9', t)), '\xE2\x80\xA9');
CREATE FUNCTION quoted AS t ->
    if(position(t, '\xE2\x80') = 0, toJSONString(t), concat('"', between_both(t), '"'));

-- A field that is left out when null. Its comma comes first; braces takes an object's first off.
CREATE FUNCTION field AS (name, t) -> if(isNull(t), '', concat(',"', name, '":', quoted(assumeNotNull(t))));
CREATE FUNCTION midnight AS d -> concat('"', toString(d), 'T00:00:00.000Z"');
CREATE FUNCTION day_field AS (name, d) -> if(isNull(d), '', concat(',"', name, '":', midnight(assumeNotNull(d))));
CREATE FUNCTION kroner AS beloep -> toDecimalString(beloep, 2);
CREATE FUNCTION braces AS fields -> concat('{', substring(fields, 2), '}');
CREATE FUNCTION konto AS (bank, eier, nummer, iban_, bic) -> braces(concat(
    field('bankinformasjon', bank), field('kontoeiersNavn', eier), field('kontonummer', nummer), field('iban', iban_),
    field('swiftBIC', bic)));
CREATE FUNCTION with_kid AS (kid, account) -> braces(concat(field('kidnummer', kid), ',"konto":', account));
CREATE FUNCTION masked AS nummer ->
    concat(repeat('*', greatest(0, toInt32(lengthUTF8(nummer)) - 5)), rightUTF8(nummer, 5));
CREATE FUNCTION periode AS (fra, til) -> braces(concat(day_field('start', fra), day_field('slutt', til)));

-- The fragments of a group in the order of a tuple, with commas between them.
CREATE FUNCTION liste AS (place, fragment) ->
    arrayStringConcat(arrayMap(pair -> pair.2, arraySort(pair -> pair.1, groupArray((place, fragment)))), ',');

-- Whose posts each document holds: the part's own, and an ENK's owner's.
CREATE TABLE part ENGINE = Memory AS SELECT assumeNotNull(part) AS part, innehaver FROM delivered_part;
CREATE TABLE shown ENGINE = Memory AS
SELECT part AS forespurt, part FROM part
UNION ALL
SELECT part, assumeNotNull(innehaver) FROM part WHERE isNotNull(innehaver);

CREATE TABLE krav ENGINE = Memory AS
SELECT assumeNotNull(kravidentifikator) AS kravidentifikator, assumeNotNull(part) AS part,
       assumeNotNull(opprettelsesdato) AS opprettelsesdato, assumeNotNull(opprinnelig_beloep) AS opprinnelig_beloep,
       quoted(assumeNotNull(kravtype)) AS kravtype, kravperiode, periode(periode_start, periode_slutt) AS periode,
       quoted(coalesce(kravbeskrivelse, tekst, assumeNotNull(kravtype))) AS beskrivelse,
       coalesce(d.kravgruppe, t.kravgruppe, 'Andre krav') AS gruppe, ifNull(t.renteberegnes, true) AS renteberegnes
FROM delivered_krav AS d LEFT ANY JOIN kravtyper AS t ON d.kravtype = t.kravtype;

CREATE TABLE kravforfall ENGINE = Memory AS
SELECT assumeNotNull(kravforfallsidentifikator) AS kravforfallsidentifikator,
       assumeNotNull(kravidentifikator) AS kravidentifikator, assumeNotNull(forfallsdato) AS forfallsdato,
       assumeNotNull(opprinnelig_beloep) AS opprinnelig_beloep, assumeNotNull(utsatt_iverksettelse) AS utsatt,
       with_kid(kidnummer, konto(bankinformasjon, kontoeiers_navn, kontonummer, iban, swift_bic)) AS betaling
FROM delivered_kravforfall;

CREATE TABLE plassering ENGINE = Memory AS
SELECT assumeNotNull(plasseringsidentifikator) AS plasseringsidentifikator, assumeNotNull(plasseringstype) AS type,
       assumeNotNull(kravforfallsidentifikator) AS kravforfallsidentifikator, assumeNotNull(motpost) AS motpost,
       assumeNotNull(plassert_beloep) AS plassert_beloep, assumeNotNull(plasseringsdato) AS plasseringsdato
FROM delivered_plassering;

CREATE TABLE innbetaling ENGINE = Memory AS
SELECT assumeNotNull(innbetalingsidentifikator) AS innbetalingsidentifikator, assumeNotNull(part) AS part,
       assumeNotNull(innbetalingsdato) AS innbetalingsdato, assumeNotNull(innbetalt_beloep) AS innbetalt_beloep,
       with_kid(fra_kidnummer,
                konto(fra_bankinformasjon, fra_kontoeiers_navn, masked(fra_kontonummer), NULL, fra_swift_bic)) AS fra,
       konto(til_bankinformasjon, til_kontoeiers_navn, til_kontonummer, til_iban, til_swift_bic) AS til
FROM delivered_innbetaling;

-- Σ of the daily rates, in hundredths of a percent, from the day after the due date through the snapshot date.
CREATE TABLE vekt ENGINE = Memory AS
WITH periods AS (
  SELECT fra_dato, toInt64(sats * 100) AS sats,
         leadInFrame(fra_dato, 1, snapshot_date() + 1) OVER (ORDER BY fra_dato
           ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS til_dato
  FROM rates)
SELECT dag, sum(sats * greatest(0, dateDiff('day', greatest(fra_dato, dag + 1),
                                            least(til_dato, snapshot_date() + 1)))) AS vekt
FROM (SELECT DISTINCT forfallsdato AS dag FROM kravforfall) AS due CROSS JOIN periods GROUP BY dag;

-- What is placed on each due date: negative on debits, positive on credits.
CREATE TABLE placed ENGINE = Memory AS
SELECT post, sum(signed) AS beloep
FROM (
  SELECT kravforfallsidentifikator AS post, if(type = 'UTBETALING', plassert_beloep, -plassert_beloep) AS signed
  FROM plassering
  UNION ALL
  SELECT motpost, plassert_beloep FROM plassering WHERE type = 'MOTKRAV')
GROUP BY post;

CREATE TABLE innbetalinger ENGINE = Memory AS
SELECT kravforfallsidentifikator AS dekket,
       liste((plasseringsdato, plasseringsidentifikator),
             concat('{"innbetalingsidentifikator":', quoted(motpost),
                    ',"innbetalingsdato":', midnight(innbetalingsdato),
                    ',"innbetaltBeloep":', kroner(-innbetalt_beloep), ',"betaltFra":', fra,
                    ',"plassertBeloep":', kroner(-plassert_beloep), ',"plasseringsdato":', midnight(plasseringsdato),
                    '}')) AS liste
FROM plassering JOIN innbetaling ON innbetalingsidentifikator = motpost
WHERE type = 'INNBETALING' GROUP BY dekket;

CREATE TABLE motkrav ENGINE = Memory AS
SELECT post,
       liste((plasseringsdato, plasseringsidentifikator),
             concat('{"motkravBeskrivelse":', beskrivelse, ',"motkravForfallsIdentifikator":', quoted(annen),
                    ',"motkravForfallsdato":', midnight(forfallsdato), ',"plassertBeloep":', kroner(beloep),
                    ',"plasseringsdato":', midnight(plasseringsdato), '}')) AS liste
FROM kravforfall JOIN (
  SELECT kravforfallsidentifikator AS post, motpost AS annen, -plassert_beloep AS beloep,
         plasseringsdato, plasseringsidentifikator FROM plassering WHERE type = 'MOTKRAV'
  UNION ALL
  SELECT motpost, kravforfallsidentifikator, plassert_beloep, plasseringsdato, plasseringsidentifikator
  FROM plassering WHERE type = 'MOTKRAV') AS ends ON kravforfallsidentifikator = annen
JOIN krav ON krav.kravidentifikator = kravforfall.kravidentifikator
GROUP BY post;

-- Claims' due dates, each with what covers it, and their sums.
CREATE TABLE forfall ENGINE = Memory AS
WITH settled AS (
  SELECT kravforfall.*, toDecimal128(opprinnelig_beloep + placed.beloep, 2) AS igjen,
         innbetalinger.liste AS innbetalinger, motkrav.liste AS motkrav,
         forfallsdato < snapshot_date() AS forfalt,
         -- whole kroner; a decimal's integer is its øre
         if(forfalt AND igjen > 0, intDiv(reinterpretAsInt128(igjen) * vekt, 365000000), 0) AS rentekroner
  FROM kravforfall LEFT ANY JOIN placed ON placed.post = kravforfallsidentifikator
    LEFT ANY JOIN innbetalinger ON dekket = kravforfallsidentifikator
    LEFT ANY JOIN motkrav ON motkrav.post = kravforfallsidentifikator
    LEFT ANY JOIN vekt ON dag = forfallsdato)
SELECT kravidentifikator, max(igjen != 0) AS aapent, sum(igjen) AS gjenstaaende, sumIf(igjen, forfalt) AS forfalte,
       sumIf(igjen, NOT forfalt) AS ikke_forfalte, sumIf(rentekroner, rentekroner >= 50) AS rentekroner,
       liste((forfallsdato, kravforfallsidentifikator),
             concat('{"kravforfallsIdentifikator":', quoted(kravforfallsidentifikator),
                    ',"forfallsdato":', midnight(forfallsdato), ',"opprinneligBeloep":', kroner(opprinnelig_beloep),
                    ',"plassertInnbetaling":[', innbetalinger, '],"plassertMotkrav":[', motkrav,
                    '],"gjenstaaendeBeloep":', kroner(igjen), ',"betalingsinformasjon":', betaling,
                    ',"utsattIverksettelse":', if(utsatt, 'true', 'false'), '}')) AS liste
FROM settled GROUP BY kravidentifikator;
DROP TABLE innbetalinger;
DROP TABLE motkrav;

CREATE TABLE krav_post ENGINE = Memory AS
SELECT part, opprettelsesdato AS dato, kravidentifikator AS id, aapent, gruppe, forfalte, ikke_forfalte, gjenstaaende,
       toDecimal128(if(renteberegnes, rentekroner, 0), 2) AS renter,
       kravtype, beskrivelse, periode, opprinnelig_beloep,
       concat('{"part":', quoted(part), ',"kravidentifikator":', quoted(kravidentifikator), ',"kravbeskrivelse":',
              beskrivelse, ',"opprettelsesdatoForKrav":', midnight(opprettelsesdato), field('kravperiode', kravperiode),
              ',"kravforfall":[', liste, '],"opprinneligBeloep":', kroner(opprinnelig_beloep),
              ',"gjenstaaendeBeloep":', kroner(gjenstaaende), ',"stipulerteRenter":', kroner(renter),
              ',"kravtype":', kravtype, ',"kravgruppe":', quoted(gruppe), '}') AS post
FROM krav JOIN forfall ON forfall.kravidentifikator = krav.kravidentifikator;
DROP TABLE forfall;

CREATE TABLE innbetaling_post ENGINE = Memory AS
WITH placements AS (
  SELECT motpost, sum(plassert_beloep) AS plassert,
         liste((plasseringsdato, plasseringsidentifikator),
               concat('{"dekketKrav":', beskrivelse, ',"kravperiode":', periode, ',"kravforfallIdentifikator":',
                      quoted(kravforfallsidentifikator), ',"plassertBeloep":', kroner(plassert_beloep),
                      ',"plasseringsdato":', midnight(plasseringsdato), '}')) AS liste
  FROM plassering JOIN kravforfall ON kravforfall.kravforfallsidentifikator = plassering.kravforfallsidentifikator
    JOIN krav ON krav.kravidentifikator = kravforfall.kravidentifikator
  WHERE type = 'INNBETALING' GROUP BY motpost)
SELECT part, innbetalingsdato AS dato, innbetalingsidentifikator AS id,
       toDecimal128(plassert - innbetalt_beloep, 2) AS uplassert,
       concat('{"part":', quoted(part), ',"innbetalingsdato":', midnight(innbetalingsdato),
              ',"innbetaltBeloep":', kroner(-innbetalt_beloep), ',"uplassertBeloep":', kroner(uplassert),
              ',"plassertInnbetalingMotKrav":[', liste, '],"betaltFra":', fra, ',"betaltTilKonto":', til,
              ',"innbetalingsIdentifikator":', quoted(innbetalingsidentifikator), '}') AS post
FROM innbetaling LEFT ANY JOIN placements ON motpost = innbetalingsidentifikator;

CREATE TABLE utbetaling_post ENGINE = Memory AS
WITH paid AS (
  SELECT DISTINCT motpost, kravidentifikator FROM plassering
  JOIN kravforfall ON kravforfall.kravforfallsidentifikator = plassering.kravforfallsidentifikator
  WHERE type = 'UTBETALING'),
grunnlag AS (
  SELECT motpost, liste(kravidentifikator,
                        concat('{"dekketKrav":', beskrivelse, ',"kravIdentifikator":', quoted(kravidentifikator),
                               ',"kravtype":', kravtype, ',"kravperiode":', periode,
                               ',"opprinneligBeloep":', kroner(opprinnelig_beloep),
                               ',"gjenstaaendeBeloep":', kroner(gjenstaaende), '}')) AS liste
  FROM krav_post JOIN paid ON paid.kravidentifikator = krav_post.id GROUP BY motpost)
SELECT assumeNotNull(part) AS part, assumeNotNull(utbetalingsdato) AS dato,
       assumeNotNull(utbetalingsidentifikator) AS id,
       concat('{"part":', quoted(part), field('utbetalingsbeskrivelse', utbetalingsbeskrivelse),
              ',"utbetaltdato":', midnight(dato), ',"utbetaltBeloep":', kroner(assumeNotNull(utbetalt_beloep)),
              ',"betaltTil":', with_kid(til_kidnummer, konto(til_bankinformasjon, til_kontoeiers_navn, til_kontonummer,
                                                             til_iban, til_swift_bic)),
              ',"utbetalingIdentifikator":', quoted(id), ',"grunnlagForUtbetaling":[', liste, ']}') AS post
FROM delivered_utbetaling LEFT ANY JOIN grunnlag ON motpost = utbetalingsidentifikator;

CREATE FUNCTION sums AS (renter, forfalte, ikke) ->
    concat('"stipulerteRenter":', kroner(renter), ',"forfalteKrav":', kroner(forfalte),
           ',"ikkeForfalteKrav":', kroner(ikke));

CREATE VIEW dokument_oversikt AS
WITH open_krav AS (
  SELECT forespurt, liste((dato, id), post) AS liste, sum(renter) AS renter, sum(forfalte) AS forfalte,
         sum(ikke_forfalte) AS ikke_forfalte
  FROM krav_post JOIN shown ON shown.part = krav_post.part WHERE aapent GROUP BY forespurt),
unplaced AS (
  SELECT forespurt, liste((dato, id), post) AS liste, sum(uplassert) AS uplassert
  FROM innbetaling_post JOIN shown ON shown.part = innbetaling_post.part WHERE uplassert != 0 GROUP BY forespurt),
groups AS (
  SELECT forespurt, gruppe, sum(renter) AS renter, sum(forfalte) AS forfalte, sum(ikke_forfalte) AS ikke_forfalte
  FROM krav_post JOIN shown ON shown.part = krav_post.part WHERE aapent GROUP BY forespurt, gruppe),
per_group AS (
  SELECT forespurt, liste(gruppe, concat('{"kravgruppe":', quoted(gruppe), ',', sums(renter, forfalte, ikke_forfalte),
                                         ',"saldo":', kroner(renter + forfalte + ikke_forfalte), '}')) AS liste
  FROM groups GROUP BY forespurt)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"aapentKravMedGjenstaaendeBeloep":[', open_krav.liste,
                    '],"innbetalingMedUplassertBeloep":[', unplaced.liste, '],"totalOversikt":{',
                    sums(renter, forfalte, ikke_forfalte), ',"uplasserteInnbetalinger":', kroner(uplassert),
                    ',"saldo":', kroner(renter + forfalte + ikke_forfalte + uplassert),
                    '},"oversiktPerKravgruppe":[', per_group.liste, ']}') AS document
FROM part LEFT ANY JOIN open_krav ON open_krav.forespurt = part LEFT ANY JOIN unplaced ON unplaced.forespurt = part
          LEFT ANY JOIN per_group ON per_group.forespurt = part;

CREATE VIEW dokument_krav AS
WITH posts AS (
  SELECT forespurt, liste((dato, id), post) AS liste
  FROM krav_post JOIN shown ON shown.part = krav_post.part GROUP BY forespurt)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"krav":[', liste, ']}') AS document
FROM part LEFT ANY JOIN posts ON forespurt = part;

CREATE VIEW dokument_innbetalinger AS
WITH posts AS (
  SELECT forespurt, liste((dato, id), post) AS liste
  FROM innbetaling_post JOIN shown ON shown.part = innbetaling_post.part GROUP BY forespurt)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"innbetaling":[', liste, ']}') AS document
FROM part LEFT ANY JOIN posts ON forespurt = part;

CREATE VIEW dokument_utbetalinger AS
WITH posts AS (
  SELECT forespurt, liste((dato, id), post) AS liste
  FROM utbetaling_post JOIN shown ON shown.part = utbetaling_post.part GROUP BY forespurt)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"utbetaling":[', liste, ']}') AS document
FROM part LEFT ANY JOIN posts ON forespurt = part;
