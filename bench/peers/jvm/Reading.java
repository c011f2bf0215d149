import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;

/** A message of the main job, and how it is read: by one ObjectReader, from bytes ("Input: byte[] is better if you have it; InputStream next best;
 *  Reader then -- and in every case, do NOT try reading input into String!", Jackson's wiki, Presentation: Jackson Performance). */
@JsonIgnoreProperties(ignoreUnknown = true)
public class Reading {
    static final ObjectReader READER = new ObjectMapper().readerFor(Reading.class);

    public String device;
    public String metric;
    public double value;

    public String getDevice() { return device; }

    public String getMetric() { return metric; }

    public double getValue() { return value; }
}
